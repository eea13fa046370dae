"""A small file of demonstrated hand trajectories, and how far from them is still usual.

A NumPy archive without pickled objects: `targets` (N, H, 20) packed absolute poses, `task` and
`episode` (N,), and `card`, a JSON text with where it comes from and the calibrated limits.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from wm_planner import actions
from wm_planner.errors import DataError, UnknownNameError
from wm_planner.filters.dtw.hand_distance import Weights
from wm_planner.types import HandPoses
from wm_planner.words import words_of

FORMAT = 2
ANY_TASK = ""


@dataclass(frozen=True)
class LibraryCard:
    """Where a library comes from and what it was calibrated for.

    Attributes:
        rig: name of the rig.
        dt: spacing of the steps, s.
        licence: of the dataset, SPDX.
        datasets: sha256 of each dataset's content.
        false_rejections: share of held-out demonstrations that the limits reject, as aimed at.
        band: largest shift that the limits are for, steps.
        weights: that the limits are for.
        limit: by task, and for `ANY_TASK` over all: distance to the nearest window, m.
        held_out: by task: windows that the limit was calibrated on.
        instructions: by task: what was asked for in its episodes.
    """

    rig: str
    dt: float
    licence: str
    datasets: tuple[str, ...]
    false_rejections: float
    band: int
    weights: Weights
    limit: dict[str, float]
    held_out: dict[str, int] = field(default_factory=dict)
    instructions: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DemonstrationLibrary:
    """N windows of H steps.

    Attributes:
        targets: commanded poses, packed and absolute, shape (N, H, 20).
        task: shape (N,), str.
        episode: shape (N,), which episode of the datasets each is from.
        card: what is known about it.
    """

    targets: np.ndarray
    task: np.ndarray
    episode: np.ndarray
    card: LibraryCard

    @property
    def poses(self) -> HandPoses:
        """The same as poses with leading axes (N, H)."""
        return actions.unpack(self.targets.astype(np.float64))

    def of_task(self, task: str) -> DemonstrationLibrary:
        """Return the windows of one task, all of them for `ANY_TASK`."""
        if task == ANY_TASK:
            return self
        if task not in self.card.limit:
            known = [name for name in self.card.limit if name != ANY_TASK]
            raise UnknownNameError("task of the demonstration library", task, known)
        rows = self.task == task
        return DemonstrationLibrary(
            self.targets[rows], self.task[rows], self.episode[rows], self.card
        )

    def task_of(self, instruction: str | None) -> str:
        """Return the task that is asked for, `ANY_TASK` where that is none of it or not clear.

        Words count, as the models read them: neither their order nor their case.
        """
        asked = words_of(instruction or "")
        known = self.card.instructions.items()
        tasks = [task for task, said in known if asked in map(words_of, said)]
        return tasks[0] if len(tasks) == 1 else ANY_TASK

    def save(self, path: Path) -> None:
        """Write the archive to a path that need not end in .npz."""
        card = json.dumps({"format": FORMAT, **asdict(self.card)}, allow_nan=False)
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                targets=self.targets.astype(np.float32),
                task=self.task.astype(str),
                episode=self.episode.astype(np.int64),
                card=np.array(card),
            )


def load_library(path: Path) -> DemonstrationLibrary:
    """Read a library, or raise DataError naming the file and what is wrong."""
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in ("targets", "task", "episode", "card")}
        card = json.loads(str(content.pop("card")))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is not a demonstration library: {error}") from error
    if card.pop("format", None) != FORMAT:
        raise DataError(f"{path}: is of another format, expected {FORMAT}: build it again")
    targets = content["targets"]
    rows = {len(values) for values in content.values()}
    if targets.ndim != 3 or targets.shape[2] != actions.ACTION_SIZE or len(rows) != 1:
        raise DataError(f"{path}: targets have shape {targets.shape}, expected (N, H, 20)")
    card["weights"], card["datasets"] = Weights(**card["weights"]), tuple(card["datasets"])
    return DemonstrationLibrary(**content, card=LibraryCard(**card))

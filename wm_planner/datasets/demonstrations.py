"""Makes a demonstration library of recorded episodes, with limits calibrated on some of them.

Windows are what the robot was told to do during `steps` steps. Episodes are split: most fill the
library, every fifth is held out. The limit of a task is a quantile of the distances of held-out
windows to their nearest one in the library, of rank ceil((n + 1) (1 - a)) of n (split conformal
prediction: Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World"): a window
like them is rejected with probability a at most.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.filters.dtw.demonstration_library import (
    ANY_TASK,
    DemonstrationLibrary,
    LibraryCard,
)
from wm_planner.filters.dtw.hand_distance import Weights, distances
from wm_planner.settings import setting
from wm_planner.types import HandPoses

KINDS = ("expert", "noisy", "recovery")
HELD_OUT = 5  # one episode in so many of a task
MOST_HELD_OUT = 1000  # windows of a task
AT_ONCE = 16  # windows compared with the library at a time


@dataclass(frozen=True)
class LibrarySettings:
    """How a library is made."""

    steps: int = setting(12, minimum=2, maximum=256, help="of a window: the models' horizon")
    windows: int = setting(400, minimum=1, maximum=100_000, help="most windows kept of a task")
    false_rejections: float = setting(
        0.01, minimum=1e-4, maximum=0.5, help="share of demonstrations that may be rejected"
    )
    band: int = setting(2, minimum=0, maximum=256, help="largest shift in time, steps")
    seed: int = setting(0, minimum=0, help="of the choice of windows")


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows of one task: packed targets (N, H, 20) and the episode of each (N,)."""

    targets: np.ndarray
    episode: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Windows:
        return Windows(self.targets[rows], self.episode[rows])

    @property
    def poses(self) -> HandPoses:
        return actions.unpack(self.targets.astype(np.float64))


def make_library(
    datasets: Sequence[LeRobotDataset], settings: LibrarySettings, weights: Weights | None = None
) -> DemonstrationLibrary:
    """Collect, choose and calibrate; deterministic.

    Args:
        datasets: of one rig, at one rate.
        settings: how.
        weights: of position, rotation and width; None for the filter's defaults.
    """
    weights = weights or Weights()
    sources = {(dataset.robot_type, dataset.fps) for dataset in datasets}
    if len(sources) != 1:
        raise ConfigurationError(f"datasets are of {sorted(sources)}, expected one rig and rate")
    ((rig, fps),) = sources
    found = _windows_by_task(datasets, settings.steps)
    generator = np.random.default_rng(settings.seed)
    kept, held_out = {}, {}
    for task, windows in found.items():
        episodes = np.unique(windows.episode)
        out = np.isin(windows.episode, episodes[HELD_OUT - 1 :: HELD_OUT])
        kept[task] = windows[_some(np.flatnonzero(~out), settings.windows, generator)]
        held_out[task] = windows[_some(np.flatnonzero(out), MOST_HELD_OUT, generator)]
    library = {task: windows.poses for task, windows in kept.items()}
    apart = {
        task: np.stack(
            [_to_nearest(windows, poses, weights, settings.band) for poses in library.values()]
        )
        for task, windows in held_out.items()
    }
    own = {task: apart[task][list(library).index(task)] for task in library}
    own[ANY_TASK] = np.concatenate([values.min(axis=0) for values in apart.values()])
    limit = {task: _limit(task, values, settings.false_rejections) for task, values in own.items()}
    card = LibraryCard(
        rig=rig,
        dt=1.0 / fps,
        licence=_licence(datasets),
        datasets=tuple(dataset.content_hash for dataset in datasets),
        false_rejections=settings.false_rejections,
        band=settings.band,
        weights=weights,
        limit=limit,
        held_out={task: len(values) for task, values in own.items()},
        instructions={task: _instructions(datasets, task) for task in library},
    )
    return DemonstrationLibrary(
        targets=np.concatenate([windows.targets for windows in kept.values()]),
        task=np.concatenate([np.full(len(w.episode), task) for task, w in kept.items()]),
        episode=np.concatenate([windows.episode for windows in kept.values()]),
        card=card,
    )


def _windows_by_task(datasets: Sequence[LeRobotDataset], steps: int) -> dict[str, Windows]:
    """Return every window of good behaviour in successful episodes, by task."""
    found: dict[str, list[Windows]] = {}
    first = 0  # episodes are numbered through all datasets
    for dataset in datasets:
        for episode in range(len(dataset)):
            begin, end = dataset.episode_offsets[episode : episode + 2]
            if not dataset.success[episode] or dataset.kind[episode] not in KINDS:
                continue
            # Who is done stands still: windows go on past the end with the last target.
            rows = np.minimum(np.arange(begin, end)[:, None] + np.arange(steps), end - 1)
            rows = rows[dataset.step_good[rows].reshape(rows.shape).all(axis=1)]
            windows = Windows(dataset.hand_target[rows], np.full(len(rows), first + episode))
            found.setdefault(str(dataset.task[episode]), []).append(windows)
        first += len(dataset)
    if not found:
        raise DataError("the datasets have no successful demonstration")
    return {
        task: Windows(
            np.concatenate([windows.targets for windows in parts]),
            np.concatenate([windows.episode for windows in parts]),
        )
        for task, parts in sorted(found.items())
    }


def _instructions(datasets: Sequence[LeRobotDataset], task: str) -> list[str]:
    """Return what was asked for in the task's episodes, each once."""
    asked = {
        str(dataset.instruction[episode])
        for dataset in datasets
        for episode in range(len(dataset))
        if dataset.task[episode] == task
    }
    return sorted(asked - {""})


def _some(rows: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    return np.sort(generator.choice(rows, min(most, len(rows)), replace=False))


def _to_nearest(windows: Windows, library: HandPoses, weights: Weights, band: int) -> np.ndarray:
    """Return the distance (N,) of each window to its nearest one in the library (M, H), m."""
    poses, nearest = windows.poses, []
    for first in range(0, len(windows.episode), AT_ONCE):
        some = poses[first : first + AT_ONCE][:, None]
        nearest.append(distances(some, library, weights, band).max(axis=2).min(axis=1))
    return np.concatenate(nearest) if nearest else np.empty(0)


def _limit(task: str, distance: np.ndarray, false_rejections: float) -> float:
    rank = int(np.ceil((len(distance) + 1) * (1.0 - false_rejections)))
    if rank > len(distance):
        least = int(np.ceil(1.0 / false_rejections)) - 1
        raise DataError(
            f"task {task!r} has {len(distance)} held-out windows, expected at least {least} for "
            f"false rejections of {false_rejections}: record more episodes, or allow more"
        )
    return float(np.sort(distance)[rank - 1])


def _licence(datasets: Sequence[LeRobotDataset]) -> str:
    """Return the licences in the datasets' cards."""
    names = set()
    for dataset in datasets:
        card = dataset.root / "README.md"
        text = card.read_text("utf-8") if card.exists() else ""
        found = re.search(r"^license: *(\S+)", text, re.MULTILINE)
        if not found:
            raise DataError(f"{card}: names no license in its front matter")
        names.add(found.group(1))
    return " AND ".join(sorted(names))

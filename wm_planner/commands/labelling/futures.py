"""A future: frames that were recorded or dreamed, and where to find them again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from wm_planner.errors import DataError

FRAMES = 12  # of a recorded future: as many as the shipped world model dreams
MOMENTS = (0.4, 0.6, 0.8, 1.0)  # of an episode's length, where its futures end
RECORDED, DREAMED = "recorded", "dreamed"
KEYS = ("run", "what", "episode", "at")


@dataclass(frozen=True)
class Future:
    """What a judge compares.

    Attributes:
        run: folder that it lies in.
        what: RECORDED or DREAMED.
        episode: which one in the folder.
        at: first and last frame; of a dream the number of the plan and of the candidate.
        task: name of the task, "" where unknown.
        instruction: what was asked for.
        group: only futures of one group can be compared.
        moment: at which share of its episode it ends.
        success: how the recorded episode ended; None where unknown, and for dreams.
    """

    run: Path
    what: str
    episode: str
    at: tuple[int, int]
    task: str
    instruction: str
    group: str
    moment: float = 0.0
    success: bool | None = None

    def reference(self, beside: Path) -> dict[str, Any]:
        """Return where it is, relative to a folder, as JSON."""
        run = os.path.relpath(self.run.resolve(), beside.resolve())
        return {"run": run, "what": self.what, "episode": self.episode, "at": list(self.at)}


class Run(Protocol):
    """A folder with futures in it."""

    def futures(self) -> list[Future]:
        """Return all that can be compared; without their pictures."""
        ...

    def pictures(self, what: str, episode: str, at: tuple[int, int]) -> np.ndarray:
        """Return the frames of one, shape (n, h, w, 3), uint8."""
        ...


def recorded_futures(
    run: Path, episode: str, length: int, task: str, instruction: str, success: bool | None
) -> list[Future]:
    """Cut an episode of N frames at `MOMENTS`; those of other episodes of the task compare."""
    found = []
    for moment in MOMENTS:
        last = round(moment * (length - 1))
        at = (max(last - FRAMES + 1, 0), last)
        group = f"{task or instruction}"
        found.append(Future(run, RECORDED, episode, at, task, instruction, group, moment, success))
    return found


def read_reference(data: Any, where: str) -> tuple[str, str, str, tuple[int, int]]:
    """Return run, what, episode and at of a reference, or raise DataError."""
    whole = isinstance(data, dict) and set(data) == set(KEYS)
    if whole and all(isinstance(data[key], str) for key in KEYS[:3]):
        at = data["at"]
        if isinstance(at, list) and len(at) == 2 and all(type(n) is int for n in at):
            return data["run"], data["what"], data["episode"], (at[0], at[1])
    raise DataError(f"{where}: expected an object with {', '.join(KEYS)}, got {data!r}")

"""What the heads that judge futures learn from: how recorded episodes went."""

from __future__ import annotations

import numpy as np

from wm_planner.training.source import EpisodeSource

HOLD = 4  # frames that experts hold for after success: all of them count as done
NOT_ASKED = ("stills", "play")


class Outcomes:
    """Episodes in which something was asked for, by how they ended.

    Attributes:
        first: Shape (E,), number of each episode's first frame.
        length: Shape (E,), frames.
        done: Shape (E,), frames from which on a successful episode is done, counted from its first.
        succeeded: numbers of the episodes that succeeded.
        failed: of those that did not, though another one of the task did.
        rivals: for each of `failed`, the successful ones of its task.
        bad_before: Shape (F + 1,), frames before each one that nobody should imitate.
    """

    def __init__(self, source: EpisodeSource) -> None:
        """Sort the episodes."""
        offsets, task = np.asarray(source.offsets), np.asarray(source.task)
        asked = np.array([text != "" for text in source.instruction])
        asked &= ~np.isin(source.kind, NOT_ASKED)
        good = asked & np.asarray(source.success, bool)
        by_task = {name: np.flatnonzero(good & (task == name)) for name in set(task[good])}
        failed = [e for e in np.flatnonzero(asked & ~good) if task[e] in by_task]
        self.first, self.length = offsets[:-1], np.diff(offsets)
        self.done = np.maximum(self.length - 1 - HOLD, 0)
        self.succeeded, self.failed = np.flatnonzero(good), np.array(failed, np.int64)
        self.rivals = [by_task[task[e]] for e in failed]
        bad = ~np.asarray(source.step_good, bool)
        self.bad_before = np.concatenate([[0], np.cumsum(bad)])

    def ending_at(self, episode: np.ndarray, at: np.ndarray, frames: int) -> np.ndarray:
        """Numbers of the last frames of futures, (B, frames).

        Args:
            episode: Shape (B,).
            at: Shape (B,), the newest frame, counted from the episode's first, which is repeated
                where there is nothing before it.
            frames: how many.
        """
        back = np.maximum(at[:, None] + np.arange(1 - frames, 1), 0)
        return np.asarray(self.first[episode][:, None] + back)

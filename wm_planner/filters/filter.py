"""The base of all filters: what a robot cannot or should not do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from wm_planner.types import ActionChunks, JointTrajectories, StartState, Verdicts


class Filter(ABC):
    """Measures every candidate against limits.

    A filter never chooses, repairs or reorders: shuffling the candidates shuffles its verdicts,
    and a looser limit never rejects more. What it cannot measure is NaN, which rejects. What may be
    done, but slower than dreamed, it accepts with a `slowdown`.

    A filter is made with the robot model and its settings, a frozen dataclass beside it that is
    named after it: `KinematicFilterSettings`.
    """

    @abstractmethod
    def judge(
        self, chunks: ActionChunks, trajectories: JointTrajectories, start: StartState
    ) -> tuple[Verdicts, ...]:
        """Return one Verdicts per limit, each over all K candidates.

        Args:
            chunks: relative 20-D actions, (K, H, 20).
            trajectories: the same in joint space, (K, H, D).
            start: what the arms are doing at the chunks' start.
        """

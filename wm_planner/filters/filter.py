"""The base of all filters: what a robot cannot or should not do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from wm_planner.types import (
    ActionChunks,
    Goal,
    JointTrajectories,
    Need,
    Resimulation,
    StartState,
    Verdicts,
)


@dataclass(frozen=True, eq=False)
class JudgingContext:
    """Everything a filter may look at.

    Attributes:
        chunks: relative 20-D actions, (K, H, 20).
        trajectories: the same in joint space, (K, H, D).
        start: what the arms are doing at the chunks' start.
        resimulation: at least what the filter `needs`; None where no one needs any.
        goal: what is to be reached; an empty one where that is not known.
    """

    chunks: ActionChunks
    trajectories: JointTrajectories
    start: StartState
    resimulation: Resimulation | None = None
    goal: Goal = field(default_factory=Goal)


class Filter(ABC):
    """Measures every candidate against limits.

    A filter never chooses, repairs or reorders: shuffling the candidates shuffles its verdicts,
    and a looser limit never rejects more. What it cannot measure is NaN, which rejects. What may be
    done, but slower than dreamed, it accepts with a `slowdown`.

    A filter is made with the robot model and its settings, a frozen dataclass beside it that is
    named after it: `KinematicFilterSettings`.

    Attributes:
        settings: may be replaced between two plans, but for what is declared `fixed`.
        needs: of a re-simulation, which costs as much as dreaming; an instance may have its own.
        needs_goal: whether it looks at the goal; an instance may have its own.
    """

    settings: Any
    needs: Need = Need.NOTHING
    needs_goal: bool = False

    @property
    def judges_motion_alone(self) -> bool:
        """Whether chunks, trajectories and start are all that it looks at."""
        return not self.needs and not self.needs_goal

    @abstractmethod
    def judge(self, context: JudgingContext) -> tuple[Verdicts, ...]:
        """Return one Verdicts per limit, each over all K candidates."""

"""Which of a task's goals is pursued: one after the other, each until it is seen to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner.settings import setting
from wm_planner.task.goal_monitor import GoalMonitor, GoalMonitorSettings, GoalReading
from wm_planner.types import Goal
from wm_planner.world_models.world_model import WorldModel


@dataclass(frozen=True)
class SubGoalSettings(GoalMonitorSettings):
    """How often a goal is tried."""

    subgoal_retries: int = setting(
        0, minimum=0, maximum=100, help="further attempts at a goal that got no plan or no time"
    )


class SubGoals:
    """A sequence of goals and how far it has come. What was reached is not looked at again.

    Args:
        world_model: sees and values.
        goals: in the order in which they are to be brought about, at least one.
        now_ns: when the first attempt begins, ROS clock.
        first: index of the goal to begin with; those before it were reached earlier.
        timeouts_s: of one attempt at each goal, s, 0 for none of its own; empty for none at all.

    Attributes:
        goals: all of them.
        reached: how many were reached: the index of the one that is pursued.
        retries: attempts at this one that have failed.
        attempts: made at any of them, the present one included.
    """

    def __init__(
        self,
        world_model: WorldModel,
        goals: Sequence[Goal],
        now_ns: int,
        first: int = 0,
        timeouts_s: Sequence[float] = (),
    ) -> None:
        self.goals, self.reached = tuple(goals), first
        self.retries, self.attempts = 0, 1
        self._world_model, self._timeouts_s = world_model, tuple(timeouts_s)
        self._begun_ns = now_ns
        self._monitor: GoalMonitor | None = None

    @property
    def done(self) -> bool:
        """Whether all were reached."""
        return self.reached >= len(self.goals)

    @property
    def goal(self) -> Goal:
        """The one that is pursued; the last one when all were reached."""
        return self.goals[min(self.reached, len(self.goals) - 1)]

    def read(
        self, latent: np.ndarray, stamp_ns: int, now_ns: int, settings: SubGoalSettings
    ) -> GoalReading:
        """Judge a frame by the goal that is pursued; where it is reached, the next one's turn is.

        Args:
            latent: the newest frame as the world model sees it.
            stamp_ns: when it was taken.
            now_ns: ROS clock.
            settings: of this cycle.
        """
        if self._monitor is None:
            self._monitor = GoalMonitor(self._world_model, self.goal)
        reading = self._monitor.read(latent, settings)
        if self._is_over(reading):
            self.reached += 1
            self.retries = 0
            self._attempt(now_ns)
        return reading

    def retry(self, now_ns: int, settings: SubGoalSettings) -> bool:
        """Begin another attempt at this goal; False where there were as many as there may be."""
        if self.retries >= settings.subgoal_retries:
            return False
        self.retries += 1
        self._attempt(now_ns)
        return True

    def overdue_s(self, now_ns: int, usual_s: float) -> float | None:
        """Return the time limit of this attempt where it is over, s, else None.

        Args:
            now_ns: ROS clock.
            usual_s: limit of goals without one of their own, s.
        """
        limit_s = self._limit_s(min(self.reached, len(self.goals) - 1), usual_s)
        return limit_s if (now_ns - self._begun_ns) * 1e-9 > limit_s else None

    def longest_s(self, usual_s: float, settings: SubGoalSettings) -> float:
        """Return how long all attempts at all goals can take, s; arguments as in `overdue_s`."""
        limits = (self._limit_s(index, usual_s) for index in range(len(self.goals)))
        return (settings.subgoal_retries + 1) * sum(limits)

    def named(self, message: str) -> str:
        """Say which of several goals a message is about."""
        index, count = min(self.reached, len(self.goals) - 1), len(self.goals)
        if count == 1:
            return message
        what = f"'{self.goal.instruction}'" if self.goal.instruction else "a goal image"
        return f"sub-goal {index + 1} of {count}, {what}: {message}"

    def _is_over(self, reading: GoalReading) -> bool:
        """Whether it is the next goal's turn after this frame."""
        return reading.reached

    def _attempt(self, now_ns: int) -> None:
        self.attempts += 1
        self._begun_ns, self._monitor = now_ns, None

    def _limit_s(self, index: int, usual_s: float) -> float:
        return (self._timeouts_s[index] if self._timeouts_s else 0.0) or usual_s

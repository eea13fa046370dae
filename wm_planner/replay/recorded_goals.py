"""The goals of a recorded task, each pursued for as long as the recorded planner did."""

from __future__ import annotations

import numpy as np

from wm_planner.replay.recorded_run import Assignment
from wm_planner.task.goal_monitor import GoalReading
from wm_planner.task.sub_goals import SubGoals, SubGoalSettings
from wm_planner.types import Goal
from wm_planner.world_models.world_model import WorldModel


class RecordedGoals(SubGoals):
    """Turns to another attempt on the frame on which the recorded planner did.

    What the replayed models see decides only whether the last goal is reached: the robot followed
    the recorded planner.

    Args:
        world_model: sees and values.
        assignment: the task; its first attempt is the present one.
        now_ns: when it begins, clock of the recording.
    """

    def __init__(self, world_model: WorldModel, assignment: Assignment, now_ns: int) -> None:
        first, *later = assignment.attempts
        told = {attempt.goal: attempt.instruction for attempt in assignment.attempts}
        goals = [Goal(told.get(index) or None) for index in range(assignment.goals)]
        super().__init__(world_model, goals, now_ns, first.goal)
        self._later = later

    def read(
        self, latent: np.ndarray, stamp_ns: int, now_ns: int, settings: SubGoalSettings
    ) -> GoalReading:
        reading = super().read(latent, stamp_ns, now_ns, settings)
        while self._later and stamp_ns >= self._later[0].stamp_ns:
            turn = self._later.pop(0)
            self.reached, self.retries = turn.goal, turn.retries
            self._attempt(now_ns)
        return reading

    def _is_over(self, reading: GoalReading) -> bool:
        return reading.reached and self.reached == len(self.goals) - 1

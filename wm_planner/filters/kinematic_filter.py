"""The kinematic filter: what the arms cannot follow, or must not."""

from __future__ import annotations

import numpy as np

from wm_planner.filters.filter import Filter, JudgingContext
from wm_planner.filters.kinematic.clearance import clearance
from wm_planner.filters.kinematic.finite import finite
from wm_planner.filters.kinematic.gripper_range import gripper_range
from wm_planner.filters.kinematic.ik_residual import ik_residual
from wm_planner.filters.kinematic.joint_position import joint_position, start_state
from wm_planner.filters.kinematic.joint_rates import (
    joint_acceleration,
    joint_jerk,
    joint_velocity,
    seam,
)
from wm_planner.filters.kinematic.motion import FILTER_NAME, Check, motion
from wm_planner.filters.kinematic.settings import KinematicFilterSettings
from wm_planner.filters.kinematic.singularity import singularity
from wm_planner.filters.kinematic.workspace import workspace
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import Verdicts

__all__ = ["KinematicFilter", "KinematicFilterSettings"]

CHECKS: tuple[Check, ...] = (
    finite,
    ik_residual,
    joint_position,
    start_state,
    seam,
    joint_velocity,
    joint_acceleration,
    joint_jerk,
    singularity,
    gripper_range,
    clearance,
    workspace,
)


class KinematicFilter(Filter):
    """Measures every candidate against the robot's limits, one Verdicts for each of them."""

    name = FILTER_NAME

    def __init__(self, robot: RobotModel, settings: KinematicFilterSettings | None = None) -> None:
        self.robot = robot
        self.settings = settings or KinematicFilterSettings()

    def judge(self, context: JudgingContext) -> tuple[Verdicts, ...]:
        judged = (context.chunks, context.trajectories, context.start)
        measured = motion(self.robot, self.settings, *judged)
        with np.errstate(invalid="ignore", over="ignore"):
            return tuple(verdicts for check in CHECKS for verdicts in check(measured))

"""Where joints are: within their limits, and at the start where they are measured."""

from __future__ import annotations

import numpy as np

from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case
from wm_planner.types import RejectionReason, Verdicts


def joint_position(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure how far joints are past their position limits, rad or m."""
    robot, q = motion.robot, motion.path[:, 1:]
    over = np.maximum(q - robot.position_upper, robot.position_lower - q)
    reason, limit = RejectionReason.JOINT_POSITION, motion.settings.joint_overshoot
    unit = "rad or m past its limit"
    return (worst_case(FILTER_NAME, reason, over, limit, unit, robot.joint_names),)


def start_state(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure the way of joints from where they are to step 0, rad or m."""
    jump = np.abs(motion.path[:, 1:2] - motion.path[:, :1])  # (K, 1, D)
    reason, names = RejectionReason.START_STATE, motion.robot.joint_names
    limit = motion.settings.start_jump
    return (worst_case(FILTER_NAME, reason, jump, limit, "rad or m", names),)

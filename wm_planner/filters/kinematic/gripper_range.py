"""Whether grippers can open and close as far as they are asked to."""

from __future__ import annotations

import numpy as np

from wm_planner import actions
from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case
from wm_planner.types import HANDS, RejectionReason, Verdicts


def gripper_range(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure how far widths leave their range, m."""
    # Of the actions, not of the trajectories: there the widths are brought into range.
    hands = motion.chunks.actions.reshape(*motion.path[:, 1:].shape[:2], 2, actions.HAND_SIZE)
    width = hands[..., actions.WIDTH]
    over = np.maximum(width - motion.robot.rig.max_gripper_width, -width)
    reason, limit = RejectionReason.GRIPPER_RANGE, motion.settings.gripper_overshoot
    return (worst_case(FILTER_NAME, reason, over, limit, "m past its range", HANDS),)

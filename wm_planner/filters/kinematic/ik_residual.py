"""How far inverse kinematics missed the hands' targets."""

from __future__ import annotations

from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case
from wm_planner.types import HANDS, RejectionReason, Verdicts


def ik_residual(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure what remains at each tool, in m and in rad."""
    reason, limits = RejectionReason.IK_RESIDUAL, motion.settings
    miss = motion.trajectories.ik_position_error
    turn = motion.trajectories.ik_rotation_error
    return (
        worst_case(FILTER_NAME, reason, miss, limits.ik_position_error, "m", HANDS),
        worst_case(FILTER_NAME, reason, turn, limits.ik_rotation_error, "rad", HANDS),
    )

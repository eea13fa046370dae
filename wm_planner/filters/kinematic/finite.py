"""Whether everything is a number."""

from __future__ import annotations

import numpy as np

from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case
from wm_planner.types import HANDS, RejectionReason, Verdicts


def finite(motion: Motion) -> tuple[Verdicts, ...]:
    """Count what is not finite in actions and joint velocities."""
    actions, velocity = motion.chunks.actions, motion.trajectories.joint_velocity
    bad = ~np.isfinite(actions).reshape(*actions.shape[:2], 2, -1)
    count = bad.sum(axis=-1, dtype=float)  # (K, H, 2)
    count += ~np.isfinite(velocity).all(axis=-1, keepdims=True)
    reason, unit = RejectionReason.NOT_FINITE, "values that are not finite"
    return (worst_case(FILTER_NAME, reason, count, 0.0, unit, HANDS),)

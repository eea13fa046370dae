"""How near an arm is to a posture in which its tool cannot move in every direction.

There, small motions of the tool take large ones of the joints, and what is a little off in the
model is far off in the arm. The measure is the condition number of the Jacobian (Salisbury and
Craig 1982, "Articulated hands: force control and kinematic issues"): how many times harder the
tool's hardest direction is than its easiest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case
from wm_planner.types import HANDS, RejectionReason, Verdicts


def singularity(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure condition numbers at the waypoints; ask for slowness between both thresholds."""
    limits = motion.settings
    condition = motion.robot.condition_number(motion.path[:, 1:], limits.condition_length)
    verdict = worst_case(
        FILTER_NAME,
        RejectionReason.SINGULARITY,
        condition,
        limits.condition_limit,
        "times harder one way than another",
        HANDS,
    )
    span = max(limits.condition_limit - limits.condition_slow, 1e-9)
    share = np.nan_to_num((verdict.measured - limits.condition_slow) / span, nan=1.0)
    slowdown = 1.0 + np.clip(share, 0.0, 1.0) * (limits.singular_slowdown - 1.0)
    return (replace(verdict, slowdown=slowdown),)

"""How near the arms come to themselves and to each other, all along the chunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case
from wm_planner.types import RejectionReason, Verdicts


def clearance(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure distances within and between the arms, as depths: 5 mm apart is -0.005 m deep."""
    limits, width = motion.settings, motion.trajectories.gripper_width
    # How wide the grippers are open at the start nobody says: as wide as at step 0.
    widths = np.concatenate([width[:, :1], width], axis=1)
    report = motion.robot.collisions_on_the_way(
        motion.path, widths, limits.self_clearance, limits.inter_arm_clearance
    )
    shape = (*width.shape[:2], 1)
    kinds = (
        (RejectionReason.SELF_COLLISION, report.self_distance, report.self_pair),
        (RejectionReason.INTER_ARM_COLLISION, report.inter_arm_distance, report.inter_arm_pair),
    )
    verdicts = []
    for (reason, distance, pair), least in zip(
        kinds, (limits.self_clearance, limits.inter_arm_clearance), strict=True
    ):
        names = np.reshape(pair, shape)
        depth = -distance.reshape(shape)
        verdict = worst_case(FILTER_NAME, reason, depth, 0.0 - least, "m deep", names)
        where = tuple(map(_told, verdict.where, verdict.measured))
        verdicts.append(replace(verdict, where=where))
    return tuple(verdicts)


def _told(pair: str, depth: float) -> str:
    if not pair:
        return pair
    how = "apart" if depth <= 0.0 else "into each other"
    return f"{pair} ({1e3 * abs(depth):.1f} mm {how})"

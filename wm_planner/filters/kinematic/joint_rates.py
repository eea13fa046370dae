"""How fast joints move, how fast that changes, and whether a chunk goes on as the arms do.

Limits hold for finite differences of the waypoints. Those are the peaks of what is carried out,
too: the executor follows the B-spline that has the waypoints as control points.

A chunk that is only too fast is not wrong: carried out s times slower, its velocities are s times
smaller, its accelerations s^2 and its jerks s^3 times. Up to `rate_slowdown` that is asked for
instead of rejecting it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case, worst_index
from wm_planner.types import RejectionReason, Verdicts


def joint_velocity(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure velocity on the way to each waypoint."""
    rate, limit = _derivative(motion, 1), motion.robot.velocity_limit
    reason, fraction = RejectionReason.JOINT_VELOCITY, motion.settings.velocity_fraction
    return (_against(motion, reason, rate, limit, fraction, 1),)


def joint_acceleration(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure acceleration at each waypoint but the last."""
    rate, limit = _derivative(motion, 2), motion.robot.acceleration_limit
    reason, fraction = RejectionReason.JOINT_ACCELERATION, motion.settings.acceleration_fraction
    return (_against(motion, reason, rate, limit, fraction, 2),)


def joint_jerk(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure jerk on the way between inner waypoints; joints without a limit measure 0 of it."""
    rate, limit = _derivative(motion, 3), motion.robot.jerk_limit
    reason, fraction = RejectionReason.JOINT_JERK, motion.settings.jerk_fraction
    return (_against(motion, reason, rate, limit, fraction, 3),)


def seam(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure by how much a joint's velocity jumps where the chunk takes over.

    Before it is what is measured, that is, what the arms do under the chunk being executed.
    """
    first = (motion.path[:, 1:2] - motion.path[:, :1]) / motion.chunks.dt  # (K, 1, D)
    rate = np.abs(first - motion.start.joint_velocity)
    reason, limit = RejectionReason.SEAM, motion.robot.velocity_limit
    return (_against(motion, reason, rate, limit, motion.settings.seam_fraction),)


def _derivative(motion: Motion, order: int) -> np.ndarray:
    """Return absolute finite differences (K, H, D), in rad/s^order.

    Each stands at the step in the middle of the waypoints it is made of: velocity at the end of its
    way, acceleration at its waypoint, jerk at the end of the way between two accelerations. Steps
    without enough neighbours measure 0.
    """
    path = motion.path
    rate = np.zeros_like(path[:, 1:])
    count = max(path.shape[1] - order, 0)
    if count:
        first = (order - 1) // 2
        rate[:, first : first + count] = np.abs(np.diff(path, n=order, axis=1))
    return rate / motion.chunks.dt**order


def _against(
    motion: Motion,
    reason: RejectionReason,
    rate: np.ndarray,
    limit: np.ndarray,
    fraction: float,
    order: int = 0,
) -> Verdicts:
    """Compare rates (K, H, D) with each joint's limit (D,), and say both in the joint's unit.

    Args:
        motion: of what.
        reason: what was measured.
        rate: how fast, rad/s^order.
        limit: of each joint, in the same unit.
        fraction: of it, the largest that may be carried out.
        order: which derivative it is, which says what slowness does to it; 0 for a velocity that
            slowness does not help.
    """
    robot, most = motion.robot, motion.settings.rate_slowdown
    share = rate / limit
    named = (FILTER_NAME, reason, share, fraction * most**order, "of its limit", robot.joint_names)
    verdict = worst_case(*named)
    slowdown = np.ones(len(rate))
    if order and fraction > 0.0:
        slower = (verdict.measured / fraction) ** (1.0 / order)
        slowdown = np.where(verdict.accepted, np.maximum(slower, 1.0), 1.0)
    index = worst_index(share)
    worst = rate.reshape(len(rate), -1)[np.arange(len(rate)), index]
    per = "/s" if order <= 1 else f"/s^{order}"
    where = tuple(
        f"{robot.joint_names[i]} ({value:.3g} of {limit[i]:.3g} {robot.joint_units[i]}{per})"
        for i, value in zip(index % len(limit), worst, strict=True)
    )
    return replace(verdict, where=where, slowdown=slowdown)

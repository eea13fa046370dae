"""Lengths that add up to how far a task is from being done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs.hands import OPEN

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

NEAR_M = 0.025  # from a tool to where it grips: closer, closing the fingers takes hold


def way_to_grip(rig: MujocoRig, side: int, place: np.ndarray, thickness: float) -> float:
    """How far a hand is from holding something, m: its way there and that of its fingers.

    Fingers that closed elsewhere have to open first.

    Args:
        rig: as it is now.
        side: 0 for the left hand, 1 for the right one.
        place: where its tool has to be, shape (3,), m.
        thickness: width of closed fingers around the thing, m.
    """
    distance = float(np.linalg.norm(rig.tool_position()[side] - place))
    width = float(rig.joint_state()[2][side])
    if distance < NEAR_M:
        return over(width, thickness)
    return distance - NEAR_M + (OPEN - thickness) + over(OPEN, width)


def over(value: float, limit: float) -> float:
    """By how much a value is over a limit; 0 where it is not."""
    return max(float(value) - limit, 0.0)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between two points, m."""
    return float(np.linalg.norm(one - other))

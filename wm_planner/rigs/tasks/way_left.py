"""Lengths that add up to how far a task is from being done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs.hands import OPEN
from wm_planner.rigs.simulated_scene import SIDES

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

NEAR_M = 0.025  # from a tool to where it grips: closer, closing the fingers may take hold
SLACK_M = 0.004  # fingers that are closed by more than a thing's thickness do not hold it


def way_to_grip(
    rig: MujocoRig, side: int, thing: str, place: np.ndarray, thickness: float
) -> float:
    """How far a hand is from holding something, m: its way there and that of its fingers.

    0 where both of its fingers are on the thing, wherever that is. Fingers that closed elsewhere,
    or on nothing, have to open first.

    Args:
        rig: as it is now.
        side: 0 for the left hand, 1 for the right one.
        thing: name of its body.
        place: where the tool shall be, shape (3,), m.
        thickness: width of fingers that hold it, m.
    """
    if holds(rig, side, thing):
        return 0.0
    left = distance(rig.tool_position()[side], place)
    return left + way_to_close(left, float(rig.joint_state()[2][side]), thickness)


def way_to_close(left: float, width: float, thickness: float) -> float:
    """How far fingers are from closing on something, m.

    Args:
        left: from the tool to where it shall be, m.
        width: of the fingers, m.
        thickness: width of fingers that hold it, m.
    """
    if left < NEAR_M and width > thickness - SLACK_M:
        return over(width, thickness)
    return OPEN - thickness + over(OPEN, width)


def holds(rig: MujocoRig, side: int, thing: str) -> bool:
    """Whether both fingers of a hand are on a thing."""
    body = rig.model.body(thing).id
    bodies = rig.model.geom_bodyid[rig.data.contact.geom[: rig.data.ncon]].tolist()
    touching = {a if b == body else b for a, b in bodies if body in (a, b)}
    fingers = {rig.model.body(f"{SIDES[side]}_finger_link_{k}").id for k in (1, 2)}
    return fingers <= touching


def over(value: float, limit: float) -> float:
    """By how much a value is over a limit; 0 where it is not."""
    return max(float(value) - limit, 0.0)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between two points, m."""
    return float(np.linalg.norm(one - other))

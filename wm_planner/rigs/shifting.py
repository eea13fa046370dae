"""Where things of a simulated scene may be shifted to on the table, and shifting them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs import towel
from wm_planner.rigs.hands import LOWER, UPPER
from wm_planner.rigs.simulated_scene import SIDES
from wm_planner.rigs.tasks.tabletop import REACHABLE, apart

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

HEADINGS = 72
GAP_M = 0.01  # between things, at least
HAND_CLEARANCE_M = 0.07  # from a tool to the centre of what a hand would bump into
MARKER_MIDDLE_M = 0.06  # a marker stays this far on its arm's side
TOWEL_MARGIN_M = 0.02  # corners may lie this much closer to the robot than the experts' hands go


class Thing:
    """Something that can be shifted on the table, as it lies.

    Args:
        rig: where it is now.
        name: a movable object, a marker's body or `towel.NAME`.
    """

    def __init__(self, rig: MujocoRig, name: str) -> None:
        self._rig = rig
        self._mocap: int | None = None
        if name == towel.NAME:
            bodies = [rig.model.body(f"{name}_{k}") for k in range(towel.COUNT**2)]
            joints = np.array([body.jntadr[0] for body in bodies])
            position, velocity = rig.model.jnt_qposadr[joints], rig.model.jnt_dofadr[joints]
        elif name in rig.movable:
            joint = rig.model.joint(name)
            position, velocity = joint.qposadr, joint.dofadr
        else:
            self._mocap = int(rig.model.body(name).mocapid[0])
            self._start = rig.data.mocap_pos[self._mocap, :2].copy()
            return
        self._position, self._velocity = (a[:, None] + np.arange(2) for a in (position, velocity))
        self._start = rig.data.qpos[self._position].copy()

    def put(self, way: np.ndarray, velocity: np.ndarray) -> None:
        """Put it ``way`` (2,) m from where it was at first, moving at (2,) m/s."""
        data = self._rig.data
        if self._mocap is not None:
            data.mocap_pos[self._mocap, :2] = self._start + way
        else:
            data.qpos[self._position] = self._start + way
            data.qvel[self._velocity] = velocity
            # Friction as of the last step, with which the solver begins, would push it back.
            data.qacc_warmstart[self._velocity] = 0.0


def things(rig: MujocoRig, names: Sequence[str]) -> list[Thing]:
    """Things by their names."""
    return [Thing(rig, name) for name in names]


def is_touched(rig: MujocoRig, names: Sequence[str]) -> bool:
    """Whether a finger is on one of the things, or a hand has the towel."""
    if towel.NAME in names:
        return towel.is_held(rig)
    fingers = {rig.model.body(f"{side}_finger_link_{k}").id for side in SIDES for k in (1, 2)}
    wanted = {rig.model.body(name).id for name in names}
    bodies = rig.model.geom_bodyid[rig.data.contact.geom[: rig.data.ncon]]
    return any({a, b} & wanted and {a, b} & fingers for a, b in bodies.tolist())


def find_way(
    rig: MujocoRig, names: Sequence[str], length_m: float, generator: np.random.Generator
) -> np.ndarray | None:
    """Draw a horizontal way, shape (2,) m, for all the things together; None where none is free.

    They end up where hands can reach them, and neither in a hand nor in another thing.
    """
    layout = _layout(rig)
    tools = rig.tool_position()
    first = generator.uniform(0, 2 * np.pi)
    for number in generator.permutation(HEADINGS):
        heading = first + 2 * np.pi * number / HEADINGS
        way = length_m * np.array([np.cos(heading), np.sin(heading)])
        there = {**layout}
        for name in names:
            x, y, yaw = layout[name]
            there[name] = (x + way[0], y + way[1], yaw)
        solid = [rig.object_position(n) + [*way, 0] for n in names if n in rig.movable]
        clear = all(np.linalg.norm(tools - p, axis=1).min() > HAND_CLEARANCE_M for p in solid)
        reachable = all(_reachable(rig, name, way) for name in names)
        if clear and reachable and apart(there, GAP_M, names):
            return way
    return None


def _reachable(rig: MujocoRig, name: str, way: np.ndarray) -> bool:
    """Whether hands can go where a thing would be."""
    if name == towel.NAME:
        corners = np.stack([towel.corner(rig, corner) for corner in towel.CORNERS])[:, :2] + way
        low, high = LOWER.min(0)[:2] - [0, TOWEL_MARGIN_M], UPPER.max(0)[:2]
        return bool((corners >= low).all() and (corners <= high).all())
    place = rig.object_position(name)[:2] + way
    if name.endswith("_marker"):
        outwards = -place[0] if name.startswith("left") else place[0]
        if outwards < MARKER_MIDDLE_M:
            return False
    return bool((place > REACHABLE[0]).all() and (place < REACHABLE[1]).all())


def _layout(rig: MujocoRig) -> dict[str, tuple[float, float, float]]:
    """Place (x, y) m and yaw, rad, of everything on the table."""
    layout = {}
    for name in rig.tracked:
        x, y, z = rig.object_position(name)
        if z > 0 and not name.startswith(towel.NAME):  # on the table, not parked
            layout[name] = (x, y, rig.object_yaw(name))
    if rig.task.scene == towel.NAME:
        left, right = (towel.corner(rig, f"near_{side}") for side in SIDES)
        centre = np.mean([towel.corner(rig, corner) for corner in towel.CORNERS], axis=0)
        yaw = float(np.arctan2(*(right - left)[[1, 0]]))
        layout[towel.NAME] = (float(centre[0]), float(centre[1]), yaw)
    return layout

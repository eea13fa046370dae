"""A towel for the simulated rig: a MuJoCo flex, how it is laid out, gripped and measured.

The cloth is a grid of vertices with elastic triangles between them (``flexcomp``); each vertex is a
body with three sliding joints. Cloth between two rigid fingers is not something that a contact
solver at this step size holds, so the grip is not friction: a hand that closes on the cloth is tied
to its nearest vertices by ``connect`` equalities, until it opens. The cloth collides with the table
alone: not with the hands, in which it would get caught, and not with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs.simulated_scene import SIDES

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

NAME = "towel"
COUNT = 13  # vertices along each side
SIDE_M = 0.27
CENTRE_Y = 0.34
THICKNESS_RADIUS = 0.004
GRIP_WIDTH, RELEASE_WIDTH = 0.015, 0.025  # a hand closed further grips, one open wider lets go, m
GRIP_DISTANCE = 0.03  # from tool to vertex, m
TIES = 3  # vertices that a closed hand takes: a corner and its two neighbours

#: Suits cloth; the rigid objects' contacts get softer and the time step longer.
OPTION = (
    'timestep="0.01" integrator="discrete" cone="pyramidal" impratio="1" solver="CG"'
    ' iterations="40" tolerance="1e-6"'
)

#: Vertex number of each corner of the flat towel; the far ones are away from the robot.
CORNERS = {
    "near_left": 0,
    "far_left": COUNT - 1,
    "near_right": COUNT * (COUNT - 1),
    "far_right": COUNT * COUNT - 1,
}
CORNER_BODIES = tuple(f"{NAME}_{vertex}" for vertex in CORNERS.values())


def towel_objects() -> str:
    """MJCF of the towel, flat at the middle of the table, and of the plane that it lies on.

    The plane is invisible and coincides with the table top: against a box the cloth would collide
    by triangles, with five times as many contacts. It has no edge to hang over.
    """
    spacing = SIDE_M / (COUNT - 1)
    return f"""
<body name="{NAME}_root" childclass="{NAME}" pos="0 {CENTRE_Y} {THICKNESS_RADIUS + 0.002}">
 <flexcomp name="{NAME}" type="grid" dim="2" count="{COUNT} {COUNT} 1" mass=".06"
  spacing="{spacing} {spacing} {spacing}" radius="{THICKNESS_RADIUS}" rgba=".62 .66 .60 1">
  <elasticity young="3e4" poisson="0.1" thickness="2e-3" damping="0.01" elastic2d="both"/>
  <contact selfcollide="none" condim="3" friction=".6" solref=".01 1" contype="0" conaffinity="4"/>
 </flexcomp></body>
<geom name="{NAME}_table" type="plane" size=".6 .45 .1" pos="0 .35 0" rgba="0 0 0 0" group="3"
 contype="4" conaffinity="0"/>"""


def towel_extra() -> str:
    """MJCF sections that the towel needs.

    The arms' joint damping is not for its vertices; and the equalities that tie the hands to
    vertices, off and retargeted by `grip`.
    """
    ties = "".join(
        f'<connect name="{side}_tie_{k}" body1="{NAME}_{k}" body2="{side}_link_6" anchor="0 0 0"'
        ' active="false" solref=".008 1"/>'
        for side in SIDES
        for k in range(TIES)
    )
    joints = '<joint damping="0" armature="0" frictionloss="0"/>'
    return (
        f'<default><default class="{NAME}">{joints}</default></default><equality>{ties}</equality>'
    )


def vertices(rig: MujocoRig) -> np.ndarray:
    """Vertex positions, shape (COUNT along x, COUNT along y, 3), m, base frame."""
    flat = rig.data.flexvert_xpos[: COUNT * COUNT]
    return flat.reshape(COUNT, COUNT, 3).copy()


def corner(rig: MujocoRig, name: str) -> np.ndarray:
    """Position of one of `CORNERS`, shape (3,), m, base frame."""
    return rig.data.flexvert_xpos[CORNERS[name]].copy()


def place_towel(rig: MujocoRig, position: np.ndarray, yaw: float) -> None:
    """Lay the towel flat: centre (2,) m on the table, yaw rad about z. Call after a reset."""
    grid = np.linspace(-SIDE_M / 2, SIDE_M / 2, COUNT)
    x, y = (axis.reshape(-1) for axis in np.meshgrid(grid, grid, indexing="ij"))
    cos, sin = np.cos(yaw), np.sin(yaw)
    rest = np.stack([x, y + CENTRE_Y], 1)
    wanted = np.stack([cos * x - sin * y, sin * x + cos * y], 1) + position
    for vertex in range(COUNT * COUNT):
        body = rig.model.body(f"{NAME}_{vertex}")
        address = rig.model.jnt_qposadr[body.jntadr[0]]  # slides along x, y and z
        rig.data.qpos[address : address + 3] = [*(wanted[vertex] - rest[vertex]), 0.0]


def grip(rig: MujocoRig) -> None:
    """Let closed hands take hold of cloth near their tools, and open hands let go of it."""
    width = rig.joint_state()[2]
    tools = rig.tool_position()
    for index, side in enumerate(SIDES):
        ties = [rig.model.equality(f"{side}_tie_{k}").id for k in range(TIES)]
        held = bool(rig.data.eq_active[ties[0]])
        if held and width[index] > RELEASE_WIDTH:
            rig.data.eq_active[ties] = 0
        elif not held and width[index] < GRIP_WIDTH:
            distance = np.linalg.norm(rig.data.flexvert_xpos - tools[index], axis=1)
            if distance.min() < GRIP_DISTANCE:
                _tie(rig, ties, np.argsort(distance)[:TIES], f"{side}_link_6")


def is_held(rig: MujocoRig, sides: Sequence[str] = SIDES) -> bool:
    """Whether one of these hands holds the towel."""
    return any(rig.data.eq_active[rig.model.equality(f"{side}_tie_0").id] for side in sides)


def covered_area(rig: MujocoRig) -> float:
    """Area of the towel's outline seen from above, of 1 when it lies flat."""
    points = vertices(rig).reshape(-1, 3)[:, :2]
    hull = _convex_hull(points)
    x, y = hull.T
    area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    return float(area / SIDE_M**2)


def _tie(rig: MujocoRig, ties: list[int], nearest: np.ndarray, hand: str) -> None:
    model, data = rig.model, rig.data
    frame = data.body(hand)
    rotation = frame.xmat.reshape(3, 3)
    for tie, vertex in zip(ties, nearest, strict=True):
        model.eq_obj1id[tie] = model.flex_vertbodyid[vertex]
        model.eq_data[tie, :3] = 0.0
        # Where the vertex is now, in the hand's frame: the tie begins without a jerk.
        model.eq_data[tie, 3:6] = rotation.T @ (data.flexvert_xpos[vertex] - frame.xpos)
        data.eq_active[tie] = 1


def _convex_hull(points: np.ndarray) -> np.ndarray:
    """Corners of the convex hull of (N, 2) points, in order (Andrew's monotone chain)."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]

    def chain(sequence: np.ndarray) -> list[np.ndarray]:
        hull: list[np.ndarray] = []
        for point in sequence:
            while len(hull) > 1:
                a, b = hull[-1] - hull[-2], point - hull[-2]
                if a[0] * b[1] - a[1] * b[0] > 0:
                    break
                hull.pop()
            hull.append(point)
        return hull[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))

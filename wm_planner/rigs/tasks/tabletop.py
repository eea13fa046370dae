"""The rigid objects' layout: cube, markers, and a tray or a bar, without overlap.

Each scene holds the objects of several tasks, so that only the instruction tells which is meant.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs import simulated_scene as scene
from wm_planner.rigs.tasks.task import Scene
from wm_planner.rigs.towel import SIDE_M

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

TABLETOP = Scene(
    "tabletop",
    lambda: scene.build_scene(scene.tabletop_objects()),
    movable=("cube", "bar", "tray"),
    tracked=("cube", "bar", "tray", "left_marker", "right_marker"),
)

#: Half extents (x, y) on the table, m, and least gap between any two things, m.
FOOTPRINT = {
    "cube": (scene.CUBE_HALF, scene.CUBE_HALF),
    "bar": scene.BAR_HALF[:2],
    "tray": scene.TRAY_HALF[:2],
    "marker": (scene.MARKER_FOOT_RADIUS, scene.MARKER_FOOT_RADIUS),
    "towel": (SIDE_M / 2, SIDE_M / 2),
}
#: Where a thing's centre may be put in mid-task: least and most (x, y), m.
REACHABLE = np.array([[-0.34, 0.20], [0.34, 0.44]])
GAP = 0.035
REST_HEIGHT = {"cube": scene.CUBE_HALF, "bar": scene.BAR_HALF[2], "tray": scene.TRAY_HALF[2]}


def place_tabletop(rig: MujocoRig, generator: np.random.Generator, with_tray: bool) -> None:
    """Lay out cube, both markers, and the tray or the bar; randomise the arms' start."""
    uniform = generator.uniform
    for _ in range(1000):
        side = generator.choice([-1, 1])
        poses: dict[str, tuple[float, float, float]] = {}
        if with_tray:
            poses["tray"] = (uniform(-0.04, 0.04), uniform(0.29, 0.38), uniform(-0.2, 0.2))
        else:
            poses["bar"] = (uniform(-0.12, -0.06), uniform(0.24, 0.36), uniform(-0.3, 0.3))
        poses["cube"] = (side * uniform(0.19, 0.33), uniform(0.22, 0.42), uniform(-0.5, 0.5))
        poses["left_marker"] = (uniform(-0.35, -0.06), uniform(0.22, 0.45), 0.0)
        poses["right_marker"] = (uniform(0.06, 0.35), uniform(0.22, 0.45), 0.0)
        if apart(poses):
            break
    else:  # pragma: no cover - the regions leave room for about one draw in five
        raise RuntimeError("no layout without overlap in 1000 draws")
    for name, (x, y, yaw) in poses.items():
        if name.endswith("marker"):
            rig.place_marker(name.split("_")[0], np.array([x, y, uniform(0.06, 0.22)]))
        else:
            rig.place(name, (x, y, REST_HEIGHT[name]), yaw)
    randomise_posture(rig, generator)


def randomise_posture(rig: MujocoRig, generator: np.random.Generator) -> None:
    """Start near home, tools down, up to about 5 cm away."""
    joints = np.tile(scene.HOME, (2, 1)) + generator.normal(0, 0.06, (2, 6)) * [1, 1, 1, 0, 0, 1]
    joints[:, 4] = np.pi / 2 - joints[:, 1] - joints[:, 2]  # keeps the tool pointing down
    rig.set_posture(joints.reshape(-1), np.full(2, 0.08))


def apart(
    poses: dict[str, tuple[float, float, float]], gap: float = GAP, moved: Sequence[str] = ()
) -> bool:
    """Whether things on the table keep a gap.

    Args:
        poses: place (x, y) m and yaw, rad, by name.
        gap: the least, m.
        moved: only gaps around these count; all where empty.
    """
    shapes = {name: (_corners(name, pose, gap), pose[2]) for name, pose in poses.items()}
    return not any(
        _overlap(shapes[first], shapes[second])
        for first, second in itertools.combinations(shapes, 2)
        if not moved or first in moved or second in moved
    )


def _corners(name: str, pose: tuple[float, float, float], gap: float) -> np.ndarray:
    x, y, yaw = pose
    half = np.array(FOOTPRINT["marker" if name.endswith("marker") else name]) + gap / 2
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    return np.array([x, y]) + (signs * half) @ turn.T


def _overlap(first: tuple[np.ndarray, float], second: tuple[np.ndarray, float]) -> bool:
    # Separating axis test of two rectangles.
    for yaw in (first[1], second[1]):
        for axis in (np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])):
            a, b = first[0] @ axis, second[0] @ axis
            if a.max() < b.min() or b.max() < a.min():
                return False
    return True

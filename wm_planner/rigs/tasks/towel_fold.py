"""Towel fold: both hands take the far corners of a towel and lay them on the near ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs import simulated_scene as scene
from wm_planner.rigs import towel
from wm_planner.rigs.hands import CLOSED, Hands
from wm_planner.rigs.tasks.tabletop import randomise_posture
from wm_planner.rigs.tasks.task import Scene, Task
from wm_planner.rigs.tasks.way_left import distance, over, way_to_close

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

CORNER_ERROR_M = 0.06  # furthest that a far corner may lie from its near corner
AREA = (0.35, 0.65)  # of the flat towel's, seen from above
HIGHEST_M = 0.07  # the towel lies on the table
OPEN = 0.06  # hands near the cloth open no wider: fingers would sweep it
#: From a far corner to its grip, and from a near corner to where the far one is let go: along the
#: towel's x (towards its middle), its y and z, m.
INSIDE = np.array([0.006, -0.006, 0.004])
ONTO = np.array([0.006, 0.008, 0.026])

TOWEL_TABLE = Scene(
    "towel",
    lambda: scene.build_scene(
        scene.cube_object() + towel.towel_objects(), extra=towel.towel_extra(), option=towel.OPTION
    ),
    movable=("cube",),
    tracked=("cube", *towel.CORNER_BODIES),
)


@dataclass(frozen=True)
class TowelFold(Task):
    """The grip is a tie, not friction: see `wm_planner.rigs.towel`."""

    objects = (towel.NAME,)

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        uniform = generator.uniform
        centre = np.array([uniform(-0.04, 0.04), uniform(0.305, 0.325)])
        towel.place_towel(rig, centre, uniform(-0.12, 0.12))
        side = generator.choice([-1, 1])
        cube = (side * uniform(0.25, 0.33), uniform(0.22, 0.42), scene.CUBE_HALF)
        rig.place("cube", cube, uniform(-0.5, 0.5))
        randomise_posture(rig, generator)

    def aims(self, rig: MujocoRig) -> np.ndarray:
        return np.stack([towel.corner(rig, f"far_{side}") for side in scene.SIDES])

    def before_step(self, rig: MujocoRig) -> None:
        towel.grip(rig)

    def succeeded(self, rig: MujocoRig) -> bool:
        if towel.is_held(rig):
            return False
        low = towel.vertices(rig)[..., 2].max() < HIGHEST_M
        return bool(
            low
            and corner_error(rig) < CORNER_ERROR_M
            and AREA[0] < towel.covered_area(rig) < AREA[1]
        )

    def undone(self, rig: MujocoRig) -> float:
        """Of each hand to its far corner, of that corner to the near one, and of fingers open."""
        left, width = 0.0, rig.joint_state()[2]
        for side, name in enumerate(scene.SIDES):
            far, near = (towel.corner(rig, f"{edge}_{name}") for edge in ("far", "near"))
            if towel.is_held(rig, (name,)):
                left += distance(far, near) + over(towel.RELEASE_WIDTH, width[side])
            elif distance(far[:2], near[:2]) > CORNER_ERROR_M:
                reach = distance(rig.tool_position()[side], far)
                left += reach + way_to_close(reach, width[side], towel.GRIP_WIDTH)
                left += distance(far, near) + towel.RELEASE_WIDTH
        return left

    def perform(self, performance: Performance, mistake: str) -> None:
        generator, move = performance.generator, performance.move
        for _attempt in range(2):
            good = not mistake
            performance.retreat_both(0.13)
            miss = np.zeros((2, 3))
            if mistake:
                # Beside the towel, where there is no cloth to take.
                side = int(generator.integers(2))
                miss[side, 0] = (-1, 1)[side] * generator.uniform(0.05, 0.07)
            grip = self._at_corners(performance, "far", INSIDE, miss)
            above = _raised(grip, 0.08)
            move(above, performance.pace_for(0, above), good)
            move(grip, performance.pace(4), good)
            closed = grip.copy()
            closed.width[:] = CLOSED
            move(closed, 2, good)
            if mistake == "misgrasp":
                # One corner stays behind: put the other back and look again.
                move(_raised(closed, generator.uniform(0.03, 0.06)), 3, good=False)
                move(closed, 3)
                move(grip, 2)
                mistake = ""
                continue
            target = self._at_corners(performance, "near", ONTO)
            target.width[:] = CLOSED
            middle = target.copy()
            middle.position[:] = (closed.position + target.position) / 2
            middle.position[:, 2] = generator.uniform(0.15, 0.18)
            move(middle, performance.pace(5), good)
            if mistake == "fail":
                performance.hold(4, good=False)
                return
            move(target, performance.pace(5))
            released = target.copy()
            released.width[:] = OPEN
            move(released, 2)
            move(_raised(released, 0.10), performance.pace(3))
            performance.hold(4)  # the cloth comes to rest
            return

    def _at_corners(
        self,
        performance: Performance,
        edge: str,
        offset: np.ndarray,
        miss: np.ndarray | float = 0.0,
    ) -> Hands:
        """Both hands at the corners of an edge, turned as the towel; offsets as in `INSIDE`."""
        rig, hands = performance.rig, performance.hands.copy()
        across = towel.corner(rig, f"{edge}_right") - towel.corner(rig, f"{edge}_left")
        yaw = float(np.arctan2(across[1], across[0]))
        x_axis, y_axis = [np.cos(yaw), np.sin(yaw), 0.0], [-np.sin(yaw), np.cos(yaw), 0.0]
        for side, (name, sign) in enumerate((("left", 1), ("right", -1))):
            wobble = performance.generator.normal(0, 0.002, 3)
            place = towel.corner(rig, f"{edge}_{name}") + wobble
            place += np.stack([x_axis, y_axis, [0, 0, 1]]).T @ (offset * [sign, 1, 1])
            hands.position[side] = place
            hands.turn[side] = (np.clip(yaw, -0.4, 0.4), 0.0, 0.0)
            hands.width[side] = OPEN
        hands.position += miss
        return hands


def corner_error(rig: MujocoRig) -> float:
    """Largest horizontal distance of a far corner from the near corner it belongs on, m."""
    return max(
        float(np.linalg.norm((towel.corner(rig, f"far_{s}") - towel.corner(rig, f"near_{s}"))[:2]))
        for s in scene.SIDES
    )


def _raised(hands: Hands, height: float) -> Hands:
    raised = hands.copy()
    raised.position[:, 2] += height
    return raised

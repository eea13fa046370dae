"""Pick and lift: grasp the red cube with the arm on its side and raise it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs.hands import CLEAR_M, CLOSED, OPEN
from wm_planner.rigs.simulated_scene import CUBE_HALF
from wm_planner.rigs.tasks.tabletop import place_tabletop
from wm_planner.rigs.tasks.task import Task
from wm_planner.rigs.tasks.way_left import over, way_to_grip

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

LIFTED_M = 0.10
THICKNESS_M = 2 * CUBE_HALF + 0.004  # between fingers that hold the cube
ABOVE = np.array([0.0, 0.0, 0.11])
OVER_CUBE_M = 0.08  # of an open hand that passes over the cube


@dataclass(frozen=True)
class PickLift(Task):
    """The instruction does not say which arm: the cube's place does."""

    objects = ("cube",)

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        place_tabletop(rig, generator, with_tray=bool(generator.random() < 0.7))

    def succeeded(self, rig: MujocoRig) -> bool:
        return bool(rig.object_position("cube")[2] > LIFTED_M)

    def undone(self, rig: MujocoRig) -> float:
        """Of the hand that is nearer to holding the cube, and of the cube upwards."""
        cube = rig.object_position("cube")
        grips = [way_to_grip(rig, side, "cube", cube, THICKNESS_M) for side in (0, 1)]
        return min(grips) + over(LIFTED_M, cube[2])

    def aims(self, rig: MujocoRig) -> np.ndarray:
        return rig.object_position("cube")[None]

    def perform(self, performance: Performance, mistake: str) -> None:
        rig, generator, move = performance.rig, performance.generator, performance.move
        side = int(rig.object_position("cube")[0] > 0)
        for _attempt in range(4):
            good = mistake not in ("misgrasp", "fail")
            at_cube = performance.is_at(side, "cube", rig.object_position("cube"))
            if not at_cube and not self._approach(performance, side, mistake):
                mistake = ""
                continue  # look again: the cube is elsewhere now
            move(performance.hands.moved(side, width=CLOSED), 2, good)
            height = generator.uniform(0.13, 0.17)
            lift = performance.hands.position[side] + [0, 0, height]
            if mistake == "misgrasp":
                lift[2] = generator.uniform(0.05, 0.10)
            move(performance.hands.moved(side, lift), performance.pace(4), good)
            if mistake == "fail":
                performance.hold(4, good=False)
                return
            if mistake == "drop" and rig.object_position("cube")[2] > 0.06:
                move(performance.hands.moved(side, width=OPEN), 2, good=False)
            mistake = ""
            if self.succeeded(rig):
                performance.hold(4)
                return

    def _approach(self, performance: Performance, side: int, mistake: str) -> bool:
        """Bring an open hand around the cube; whether that came to its end."""
        rig, move = performance.rig, performance.move
        good = mistake not in ("misgrasp", "fail")
        hopped = performance.hop([side], OVER_CUBE_M)
        if not hopped:
            performance.retreat(side, CLEAR_M)
        aim = rig.object_position("cube") + performance.generator.normal(0, [0.003, 0.003, 0.002])
        aim[2] = max(aim[2], 0.018)
        if not good:
            aim[:2] += performance.miss(0.03, 0.06)
        over_it = np.array([0, 0, OVER_CUBE_M - aim[2]]) if hopped else ABOVE
        yaw = quarter_turn(rig.object_yaw("cube"))
        above = performance.hands.moved(side, aim + over_it, yaw, OPEN)
        move(above, performance.pace_for(side, above), good)
        if mistake == "shift" and performance.shift("cube", 0.06):
            return False
        move(above.moved(side, aim), performance.pace(2 if hopped else 4), good)
        return True


def quarter_turn(yaw: float) -> float:
    """The grasp heading of a square object: the nearest to straight ahead, rad in [-pi/4, pi/4]."""
    return float((yaw + np.pi / 4) % (np.pi / 2) - np.pi / 4)

"""Tray lift: both hands take the tray's handles and raise it level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs import simulated_scene as scene
from wm_planner.rigs.hands import CLOSED, OPEN, Hands
from wm_planner.rigs.tasks.tabletop import place_tabletop
from wm_planner.rigs.tasks.task import Task
from wm_planner.rigs.tasks.way_left import over, way_to_grip

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

LIFTED_M = 0.08
LEVEL = 0.97  # cosine of the tilt
HANDLE_GRIP_HEIGHT = 0.045
OVER_HANDLES_M = 0.105  # of open hands that pass over handles
CLEAR_OF_HANDLES_M = 0.12  # a hand from here on may go sideways over a handle
THICKNESS_M = 2 * scene.TRAY_HANDLE_HALF[0] + 0.004  # between fingers that hold a handle


@dataclass(frozen=True)
class TrayLift(Task):
    """A lift by one hand alone tips the tray and does not count."""

    objects = ("tray",)

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        place_tabletop(rig, generator, with_tray=True)

    def succeeded(self, rig: MujocoRig) -> bool:
        level = rig.object_rotation("tray")[2, 2] > LEVEL
        return bool(level and rig.object_position("tray")[2] > LIFTED_M)

    def undone(self, rig: MujocoRig) -> float:
        """Of each hand to its handle, and of each handle upwards and to the other one's height."""
        centre, rotation = rig.object_position("tray"), rig.object_rotation("tray")
        height = HANDLE_GRIP_HEIGHT - scene.TRAY_HALF[2]  # above the tray's centre
        grips = [centre + rotation @ [sign * scene.TRAY_HANDLE_X, 0, height] for sign in (-1, 1)]
        hands = sum(way_to_grip(rig, side, "tray", grips[side], THICKNESS_M) for side in (0, 1))
        lift = sum(over(LIFTED_M + height, grip[2]) for grip in grips)
        return float(hands + lift + abs(grips[0][2] - grips[1][2]))

    def aims(self, rig: MujocoRig) -> np.ndarray:
        rotation, centre = rig.object_rotation("tray"), rig.object_position("tray")
        handles = [centre + rotation @ [sign * scene.TRAY_HANDLE_X, 0, 0] for sign in (-1, 1)]
        return np.array([[*handle[:2], HANDLE_GRIP_HEIGHT] for handle in handles])

    def perform(self, performance: Performance, mistake: str) -> None:
        rig, generator, move = performance.rig, performance.generator, performance.move
        for _attempt in range(3):
            good = mistake not in ("misgrasp", "fail")
            free = [s for s in (0, 1) if not performance.is_at(s, "tray", self.aims(rig)[s])]
            if free and not self._approach(performance, free, mistake):
                mistake = ""
                continue
            closed = performance.hands.copy()
            closed.width[:] = CLOSED
            move(closed, 2, good)
            lift = closed.copy()
            lift.position[:, 2] += generator.uniform(0.11, 0.15) * (
                0.5 if mistake == "misgrasp" else 1
            )
            move(lift, performance.pace(5), good)
            if mistake == "fail":
                performance.hold(4, good=False)
                return
            if mistake == "drop" and rig.object_position("tray")[2] > 0.05:
                low = lift.copy()
                low.position[:, 2] -= 0.06
                move(low, 3, good=False)
                low.width[:] = OPEN
                move(low, 2, good=False)
            elif mistake == "misgrasp":
                low = performance.hands.copy()
                low.position[:, 2] = HANDLE_GRIP_HEIGHT + 0.01
                move(low, 2)
            mistake = ""
            if self.succeeded(rig):
                performance.hold(4)
                return

    def _approach(self, performance: Performance, free: list[int], mistake: str) -> bool:
        """Bring open hands of these sides around their handles; whether that came to its end."""
        generator, move = performance.generator, performance.move
        good = mistake not in ("misgrasp", "fail")
        hopped = performance.hop(free, OVER_HANDLES_M)
        if not hopped and len(free) == 2:
            performance.retreat_both(CLEAR_OF_HANDLES_M)
        miss = np.zeros((2, 3))
        if not good:
            for side in range(2) if generator.random() < 0.3 else [generator.integers(2)]:
                # Across the handle, outwards or inwards: along it the grasp would still hold.
                miss[side, 0] = generator.choice([-1, 1]) * generator.uniform(0.05, 0.09)
        height = OVER_HANDLES_M - HANDLE_GRIP_HEIGHT if hopped else 0.10
        above = self._grip(performance, free, miss + [0, 0, height])
        move(above, performance.pace_for(free[0], above), good)
        if mistake == "shift" and performance.shift("tray", 0.04):
            return False
        down = above.copy()
        down.position[free, 2] -= height
        move(down, performance.pace(2 if hopped else 4), good)
        return True

    def _grip(self, performance: Performance, sides: list[int], offset: np.ndarray) -> Hands:
        """Hands with those of these sides open at their handles, off by (2, 3) m."""
        rig, hands, handles = performance.rig, performance.hands.copy(), self.aims(performance.rig)
        for side in sides:
            wobble = performance.generator.normal(0, 0.003, 3)
            hands.position[side] = handles[side] + offset[side] + wobble
            hands.turn[side] = (rig.object_yaw("tray"), 0.0, 0.0)
            hands.width[side] = OPEN
        return hands

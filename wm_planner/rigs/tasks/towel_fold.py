"""Towel fold: both hands take the far corners of a towel and lay them on the near ones."""

from __future__ import annotations

from collections.abc import Sequence
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
CLEAR_M = 0.18  # a far corner that is nearer to its near one, and not on it, lies on other cloth
PULLED_M = 0.05  # a corner further from its near one is pulled there before it is let go
HIGHEST_M = 0.07  # the towel lies on the table
SIDES = range(2)  # left, right
AWAY_M = 0.13  # above the table: hands that are here are out of the way
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
        """Of each hand to its far corner, of that corner to the near one, and of fingers open.

        Who takes one corner away from the other, by less than half of its way, has to bring it
        back: a towel that is folded along a diagonal is no nearer to being folded.
        """
        left, width = 0.0, rig.joint_state()[2]
        held = [side for side in SIDES if _holds(rig, side)]
        behind = [side for side in SIDES if side not in held and _way(rig, side) > CORNER_ERROR_M]
        for side, name in enumerate(scene.SIDES):
            far, near = (towel.corner(rig, f"{edge}_{name}") for edge in ("far", "near"))
            if side in held:
                left += over(towel.RELEASE_WIDTH, width[side])
                if behind and not _is_mostly_there(rig, side):
                    left += towel.SIDE_M + distance(far, near + _to_flat(rig))
                else:
                    left += distance(far, near)
            elif side in behind:
                reach = distance(rig.tool_position()[side], far)
                left += reach + way_to_close(reach, width[side], towel.GRIP_WIDTH)
                left += distance(far, near) + towel.RELEASE_WIDTH
        return left

    def resumable(self, rig: MujocoRig, held: Sequence[str]) -> bool:
        """Not where a corner that was let go lies beside the near one, on cloth.

        Who takes it there takes what is beneath it, too. Nor where both are on the near ones: then
        something else is wrong with the towel.
        """
        loose = [_way(rig, side) for side in SIDES if not _holds(rig, side)]
        beside = any(CORNER_ERROR_M < way < CLEAR_M for way in loose)
        folded = len(loose) == len(SIDES) and max(loose) < CORNER_ERROR_M
        return super().resumable(rig, held) and not beside and not folded

    def perform(self, performance: Performance, mistake: str) -> None:
        """Fold what is not folded, also where another began, and mend what was missed."""
        rig = performance.rig
        for _attempt in range(3):
            kept = self._put_down(performance)
            missing = [s for s in SIDES if s not in kept and _way(rig, s) > CORNER_ERROR_M]
            if not missing or self._take(performance, missing, mistake):
                self._lay(performance, missing, mistake)
                if mistake == "fail" or not self.resumable(rig, ()):
                    return
            mistake = ""

    def _put_down(self, performance: Performance) -> list[int]:
        """Bring corners that are in a hand to the table, and hands that were closed out of the way.

        Cloth that is let fall lies in folds. So a corner goes back to where it is when the towel is
        flat, and is let go there; one that is nearer to its near corner goes to that, and is held
        until the other one is there as well.

        Returns:
            Sides whose hand goes on holding its corner.
        """
        rig, hands = performance.rig, performance.hands.copy()
        to_flat = _to_flat(rig)
        held = [side for side in SIDES if _holds(rig, side)]
        kept = [side for side in held if _is_mostly_there(rig, side)]
        free = [side for side in SIDES if side not in kept]
        for side in held:
            far, near = (_corner(rig, edge, side) for edge in ("far", "near"))
            there = near if side in kept else near + to_flat
            hands.position[side, :2] += (there - far)[:2]
            hands.position[side, 2] = near[2] + (ONTO if side in kept else INSIDE)[2]
        if held:
            performance.move(hands, performance.pace(5))
        if held != kept:
            hands = hands.copy()
            hands.width[free] = OPEN
            performance.move(hands, 2)
        if kept:
            for side in free:
                performance.retreat(side, AWAY_M)
        elif held or hands.width.min() < OPEN - 0.01:
            performance.retreat_both(AWAY_M)
        return kept

    def _take(self, performance: Performance, sides: Sequence[int], mistake: str) -> bool:
        """Take hold of the far corners of these sides; whether to go on with what came of it."""
        rig, generator, move = performance.rig, performance.generator, performance.move
        good, miss = not mistake, np.zeros((2, 3))
        if mistake:
            # Beside the towel, where there is no cloth to take.
            side = int(generator.integers(2))
            miss[side, 0] = (-1, 1)[side] * generator.uniform(0.05, 0.07)
        grip = self._at_corners(performance, sides, "far", INSIDE, miss)
        above = _raised(grip, sides, 0.08)
        move(above, performance.pace_for(sides[0], above), good)
        move(grip, performance.pace(4), good)
        closed = grip.copy()
        closed.width[sides] = CLOSED
        move(closed, 2, good)
        if mistake == "misgrasp":
            # One corner stays behind: put the other back and look again.
            move(_raised(closed, sides, generator.uniform(0.03, 0.06)), 3, good=False)
            move(closed, 3)
            move(grip, 2)
            return False
        blind = mistake == "fail" or performance.unaware
        return blind or all(_holds(rig, side) for side in sides)

    def _lay(self, performance: Performance, sides: Sequence[int], mistake: str) -> None:
        """Bring the far corners of these sides onto the near ones, and let go of all."""
        move, good = performance.move, not mistake
        if sides:
            start = performance.hands
            target = self._at_corners(performance, sides, "near", ONTO)
            target.width[sides] = CLOSED
            middle = target.copy()
            middle.position[sides] = (start.position + target.position)[sides] / 2
            middle.position[sides, 2] = performance.generator.uniform(0.15, 0.18)
            move(middle, performance.pace(5), good)
            if mistake == "fail":
                performance.hold(4, good=False)
                return
            move(target, performance.pace(5))
        self._correct(performance)
        released = performance.hands.copy()
        closed = np.flatnonzero(released.width < OPEN)
        released.width[closed] = OPEN
        move(released, 2)
        move(_raised(released, closed, 0.10), performance.pace(3))
        performance.hold(4)  # the cloth comes to rest

    def _correct(self, performance: Performance) -> None:
        """Pull corners that are in a hand to where they belong, where the near ones have moved."""
        rig, hands = performance.rig, performance.hands.copy()
        held = [side for side in SIDES if _holds(rig, side)]
        if not any(_way(rig, side) > PULLED_M for side in held):
            return
        for side in held:
            way = _corner(rig, "near", side) - _corner(rig, "far", side)
            hands.position[side, :2] += way[:2]
        performance.move(hands, 3)

    def _at_corners(
        self,
        performance: Performance,
        sides: Sequence[int],
        edge: str,
        offset: np.ndarray,
        miss: np.ndarray | float = 0.0,
    ) -> Hands:
        """Hands of these sides at corners of an edge, turned as the towel; offsets: `INSIDE`."""
        rig, hands = performance.rig, performance.hands.copy()
        # An edge with one corner folded does not lie along the towel.
        yaw = _yaw(rig, edge if len(sides) == len(SIDES) else "near")
        x_axis, y_axis = [np.cos(yaw), np.sin(yaw), 0.0], [-np.sin(yaw), np.cos(yaw), 0.0]
        turned = np.stack([x_axis, y_axis, [0, 0, 1]]).T
        for side in sides:
            wobble = performance.generator.normal(0, 0.002, 3)
            place = _corner(rig, edge, side) + wobble
            hands.position[side] = place + turned @ (offset * [(1, -1)[side], 1, 1])
            hands.turn[side] = (np.clip(yaw, -0.4, 0.4), 0.0, 0.0)
            hands.width[side] = OPEN
        hands.position += miss
        return hands


def corner_error(rig: MujocoRig) -> float:
    """Largest horizontal distance of a far corner from the near corner it belongs on, m."""
    return max(_way(rig, side) for side in SIDES)


def _corner(rig: MujocoRig, edge: str, side: int) -> np.ndarray:
    return towel.corner(rig, f"{edge}_{scene.SIDES[side]}")


def _way(rig: MujocoRig, side: int) -> float:
    """Distance of a far corner from its near one, seen from above, m."""
    return distance(_corner(rig, "far", side)[:2], _corner(rig, "near", side)[:2])


def _is_mostly_there(rig: MujocoRig, side: int) -> bool:
    """Whether a far corner has more of its way to the near one behind it than before it."""
    return _way(rig, side) < towel.SIDE_M / 2


def _holds(rig: MujocoRig, side: int) -> bool:
    return towel.is_held(rig, (scene.SIDES[side],))


def _yaw(rig: MujocoRig, edge: str) -> float:
    """Heading of an edge from its left to its right corner, rad."""
    across = _corner(rig, edge, 1) - _corner(rig, edge, 0)
    return float(np.arctan2(across[1], across[0]))


def _to_flat(rig: MujocoRig) -> np.ndarray:
    """From a near corner to where the far one is when the towel is flat, (3,) m."""
    yaw = _yaw(rig, "near")  # that edge lies on the table
    return towel.SIDE_M * np.array([-np.sin(yaw), np.cos(yaw), 0.0])


def _raised(hands: Hands, sides: Sequence[int] | np.ndarray, height: float) -> Hands:
    raised = hands.copy()
    raised.position[sides, 2] += height
    return raised

"""Handover: the left hand picks the bar and gives it to the right hand in the air."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs.hands import CLEAR_M, CLOSED, OPEN
from wm_planner.rigs.simulated_scene import BAR_HALF
from wm_planner.rigs.tasks.tabletop import place_tabletop
from wm_planner.rigs.tasks.task import Task
from wm_planner.rigs.tasks.way_left import distance, over, way_to_grip

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

LEFT, RIGHT = 0, 1
GRIP_FROM_CENTRE = 0.08
MEETING_POINT = np.array([0.0, 0.33, 0.20])
RIGHT_MEETS = MEETING_POINT + [GRIP_FROM_CENTRE + 0.01, 0, 0]
WAITING = np.array([0.05, 0.0, 0.10])  # of the right hand, from where it will take the bar
HELD_HEIGHT_M = 0.06  # of the bar's centre, after a lift; on the table it is at 0.024
OVER_BAR_M = 0.075  # of an open hand that passes over the bar
OFF_TABLE_M = 0.034  # in some hand, as soon as it is higher
HIGH_M, OVER_RIGHT_M = 0.10, 0.04  # where the bar has to be in the end: z, and x
CLEAR_OF_LEFT_M = 0.14  # of the left tool from the bar's centre, in the end
MEETS_M = 0.06  # of the bar from the meeting point: there the right hand goes for where it is
THICKNESS_M = 2 * BAR_HALF[1] + 0.004  # between fingers that hold the bar
ACROSS = np.pi / 2  # fingers close across a bar that lies along x


@dataclass(frozen=True)
class Handover(Task):
    """Held by the right hand alone, in the air, on the right side."""

    objects = ("bar",)

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        place_tabletop(rig, generator, with_tray=False)

    def succeeded(self, rig: MujocoRig) -> bool:
        bar, tools = rig.object_position("bar"), rig.tool_position()
        clear_of_left = distance(tools[LEFT], bar) > CLEAR_OF_LEFT_M
        return bool(bar[2] > HIGH_M and bar[0] > OVER_RIGHT_M and clear_of_left)

    def undone(self, rig: MujocoRig) -> float:
        """Stage by stage: into the left hand, to the meeting point, into the right hand, apart."""
        bar, tools = rig.object_position("bar"), rig.tool_position()
        yaw = rig.object_yaw("bar")
        along = GRIP_FROM_CENTRE * np.array([np.cos(yaw), np.sin(yaw), 0.0])
        if _right_has_bar(rig):
            release = over(OPEN, rig.joint_state()[2][LEFT])
            apart = over(CLEAR_OF_LEFT_M, distance(tools[LEFT], bar))
            return release + apart + over(OVER_RIGHT_M, bar[0]) + over(HIGH_M, bar[2])
        afterwards = OPEN + CLEAR_OF_LEFT_M + OVER_RIGHT_M + GRIP_FROM_CENTRE
        left = way_to_grip(rig, LEFT, "bar", bar - along, THICKNESS_M)
        if distance(bar, MEETING_POINT) < MEETS_M:
            right = way_to_grip(rig, RIGHT, "bar", bar + along, THICKNESS_M)
            return left + right + afterwards
        right = distance(tools[RIGHT], RIGHT_MEETS) + OPEN - THICKNESS_M
        return left + distance(bar, MEETING_POINT) + right + afterwards

    def aims(self, rig: MujocoRig) -> np.ndarray:
        yaw = rig.object_yaw("bar")
        along = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        return (rig.object_position("bar") - GRIP_FROM_CENTRE * along)[None]

    def resumable(self, rig: MujocoRig, held: Sequence[str]) -> bool:
        """Also from where the left hand has the bar in the air."""
        return super().resumable(rig, held) or (list(held) == ["bar"] and _left_has_bar(rig))

    def perform(self, performance: Performance, mistake: str) -> None:
        for _attempt in range(3):
            if _left_has_bar(performance.rig) or self._pick(performance, mistake):
                self._give(performance, mistake)
                if self.succeeded(performance.rig) or mistake == "fail":
                    performance.hold(4, mistake != "fail")
                    return
            mistake = ""  # look again: the bar is elsewhere or still on the table

    def _pick(self, performance: Performance, mistake: str) -> bool:
        """Raise the bar with the left hand; whether to go on with what came of it."""
        rig, good = performance.rig, mistake not in ("misgrasp", "fail")
        performance.retreat(RIGHT, CLEAR_M)
        at_bar = performance.is_at(LEFT, "bar", self.aims(rig)[0])
        if not at_bar and not self._approach(performance, mistake):
            return False
        performance.move(performance.hands.moved(LEFT, width=CLOSED), 2, good)
        height = performance.generator.uniform(0.05, 0.10) if mistake == "misgrasp" else 0.12
        lifted = performance.hands.moved(LEFT, performance.hands.position[LEFT] + [0, 0, height])
        if mistake != "misgrasp":
            lifted = lifted.moved(RIGHT, RIGHT_MEETS + WAITING, ACROSS, OPEN)
        performance.move(lifted, performance.pace(4), good)
        return mistake == "fail" or rig.object_position("bar")[2] > HELD_HEIGHT_M

    def _approach(self, performance: Performance, mistake: str) -> bool:
        """Bring the open left hand around the bar; whether that came to its end."""
        rig, generator, move = performance.rig, performance.generator, performance.move
        good = mistake not in ("misgrasp", "fail")
        hopped = performance.hop([LEFT], OVER_BAR_M)
        if not hopped:
            performance.retreat(LEFT, CLEAR_M)
        yaw = rig.object_yaw("bar")
        grip = self.aims(rig)[0] + generator.normal(0, [0.003, 0.003, 0.002])
        if not good:
            grip[:2] += performance.miss(0.04, 0.07)
        height = OVER_BAR_M - grip[2] if hopped else 0.11
        above = performance.hands.moved(LEFT, grip + [0, 0, height], yaw + ACROSS, OPEN)
        move(above, performance.pace_for(LEFT, above) if hopped else performance.pace(6), good)
        if mistake == "shift" and performance.shift("bar", 0.05):
            return False
        move(above.moved(LEFT, grip), performance.pace(2 if hopped else 4), good)
        return True

    def _give(self, performance: Performance, mistake: str) -> None:
        """From the left hand, which has the bar, to the right hand, and apart."""
        rig, generator, move = performance.rig, performance.generator, performance.move
        good = mistake != "fail"
        left_meets = MEETING_POINT - [GRIP_FROM_CENTRE, 0, 0] + generator.normal(0, 0.004, 3)
        ready = performance.hands.moved(LEFT, left_meets, ACROSS, CLOSED)
        move(ready.moved(RIGHT, RIGHT_MEETS + WAITING, ACROSS, OPEN), performance.pace(5), good)
        if mistake == "fumble":  # beside or above the bar: seen once the fingers are closed
            beside = [0, generator.choice([-1, 1]) * generator.uniform(0.035, 0.055), 0.0]
            offset = [0, 0, generator.uniform(0.05, 0.07)] if generator.random() < 0.5 else beside
            self._take(performance, RIGHT_MEETS + offset, good=False)
            self._let_go(performance)
        for _attempt in range(2):
            # The bar may have slipped or tilted in the hand: aim at where it is.
            end = (GRIP_FROM_CENTRE + 0.01) * rig.object_rotation("bar")[:, 0]
            place = rig.object_position("bar") + end if good else RIGHT_MEETS
            self._take(performance, place, good)
            if not good or _right_has_bar(rig):
                break
            self._let_go(performance)
        move(performance.hands.moved(LEFT, width=OPEN), 2, good)
        away = performance.hands.position[LEFT] + [-0.03, 0, 0.10]
        move(performance.hands.moved(LEFT, away), performance.pace(3), good)
        left_home, right_end = np.array([-0.25, 0.30, 0.20]), np.array([0.24, 0.32, 0.22])
        aside = performance.hands.moved(LEFT, left_home, 0.0).moved(RIGHT, right_end)
        move(aside, performance.pace(5), good)

    def _take(self, performance: Performance, place: np.ndarray, good: bool) -> None:
        """Come down on ``place`` with the right hand and close it."""
        move = performance.move
        move(performance.hands.moved(RIGHT, place + [0, 0, 0.08]), performance.pace(3), good)
        move(performance.hands.moved(RIGHT, place), performance.pace(3), good)
        move(performance.hands.moved(RIGHT, width=CLOSED), 3, good)

    def _let_go(self, performance: Performance) -> None:
        """Open the right hand, which caught nothing, and raise it."""
        up = performance.hands.position[RIGHT] + [0, 0, 0.08]
        performance.move(performance.hands.moved(RIGHT, width=OPEN), 1)
        performance.move(performance.hands.moved(RIGHT, up), 3)


def _left_has_bar(rig: MujocoRig) -> bool:
    """The bar is in the air, and the left fingers are around its left half."""
    bar, tool = rig.object_position("bar"), rig.tool_position()[LEFT]
    return bool(_has_bar(rig, LEFT) and tool[0] < bar[0])


def _right_has_bar(rig: MujocoRig) -> bool:
    """The bar is in the air, and the right fingers are around its right half."""
    bar, tool = rig.object_position("bar"), rig.tool_position()[RIGHT]
    return bool(_has_bar(rig, RIGHT) and tool[0] > bar[0])


def _has_bar(rig: MujocoRig, side: int) -> bool:
    """The bar is in the air, and these fingers are around one of its halves, not closed beside."""
    bar, tool = rig.object_position("bar"), rig.tool_position()[side]
    around = THICKNESS_M - 0.012 < rig.joint_state()[2][side] < OPEN - 0.02
    return bool(bar[2] > OFF_TABLE_M and around and 0.04 < distance(tool, bar) < 0.12)

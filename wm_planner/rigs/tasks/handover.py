"""Handover: the left hand picks the bar and gives it to the right hand in the air."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs.hands import CLOSED, OPEN
from wm_planner.rigs.tasks.tabletop import place_tabletop
from wm_planner.rigs.tasks.task import Task

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

LEFT, RIGHT = 0, 1
GRIP_FROM_CENTRE = 0.08
MEETING_POINT = np.array([0.0, 0.33, 0.20])
ACROSS = np.pi / 2  # fingers close across a bar that lies along x


@dataclass(frozen=True)
class Handover(Task):
    """Held by the right hand alone, in the air, on the right side."""

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        place_tabletop(rig, generator, with_tray=False)

    def succeeded(self, rig: MujocoRig) -> bool:
        bar, tools = rig.object_position("bar"), rig.tool_position()
        clear_of_left = np.linalg.norm(tools[LEFT] - bar) > 0.14
        return bool(bar[2] > 0.10 and bar[0] > 0.04 and clear_of_left)

    def perform(self, performance: Performance, mistake: str) -> None:
        rig, generator, move = performance.rig, performance.generator, performance.move
        good = mistake != "fail"
        yaw = rig.object_yaw("bar")
        along = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        grip = rig.object_position("bar") - GRIP_FROM_CENTRE * along
        grip += generator.normal(0, [0.003, 0.003, 0.002])
        if not good:
            grip[:2] += performance.miss(0.04, 0.07)
        above = performance.hands.moved(LEFT, grip + [0, 0, 0.11], yaw + ACROSS, OPEN)
        move(above, performance.pace(6), good)
        move(above.moved(LEFT, grip), performance.pace(4), good)
        move(performance.hands.moved(LEFT, width=CLOSED), 2, good)
        left_meets = MEETING_POINT - [GRIP_FROM_CENTRE, 0, 0] + generator.normal(0, 0.004, 3)
        right_meets = MEETING_POINT + [GRIP_FROM_CENTRE + 0.01, 0, 0]
        waiting = right_meets + [0.05, 0, 0.10]
        lifted = performance.hands.moved(LEFT, grip + [0, 0, 0.12])
        move(lifted.moved(RIGHT, waiting, ACROSS, OPEN), performance.pace(4), good)
        move(
            lifted.moved(LEFT, left_meets, ACROSS).moved(RIGHT, waiting, ACROSS, OPEN),
            performance.pace(5),
            good,
        )
        if good:  # the bar may have slipped in the hand: aim at where it is
            right_meets = rig.object_position("bar") + [GRIP_FROM_CENTRE + 0.01, 0, 0]
        move(performance.hands.moved(RIGHT, right_meets + [0, 0, 0.08]), performance.pace(3), good)
        move(performance.hands.moved(RIGHT, right_meets), performance.pace(3), good)
        move(performance.hands.moved(RIGHT, width=CLOSED), 3, good)
        move(performance.hands.moved(LEFT, width=OPEN), 2, good)
        away = performance.hands.position[LEFT] + [-0.03, 0, 0.10]
        move(performance.hands.moved(LEFT, away), performance.pace(3), good)
        left_home, right_end = np.array([-0.25, 0.30, 0.20]), np.array([0.24, 0.32, 0.22])
        aside = performance.hands.moved(LEFT, left_home, 0.0).moved(RIGHT, right_end)
        move(aside, performance.pace(5), good)
        performance.hold(4, good)

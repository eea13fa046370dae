"""The simulated tasks by name."""

from __future__ import annotations

from wm_planner.rigs.tasks.handover import Handover
from wm_planner.rigs.tasks.long_task import LongTask
from wm_planner.rigs.tasks.pick_lift import PickLift
from wm_planner.rigs.tasks.reach import Reach
from wm_planner.rigs.tasks.task import Scene, Task
from wm_planner.rigs.tasks.towel_fold import TowelFold
from wm_planner.rigs.tasks.tray_lift import TrayLift

__all__ = ["LONG_TASKS", "TASKS", "Scene", "Task"]

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Reach(
            "reach",
            "tabletop",
            (
                "touch the markers",
                "reach the markers with both hands",
                "move both hands to the markers",
            ),
            time_limit_s=6.0,
            recoveries=("miss",),
        ),
        PickLift(
            "pick_lift",
            "tabletop",
            ("lift the red cube", "pick up the cube", "grasp the red block and raise it"),
            time_limit_s=9.0,
            recoveries=("misgrasp", "drop", "shift"),
        ),
        Handover(
            "handover",
            "tabletop",
            (
                "hand the green bar over to the right hand",
                "pass the bar from left to right",
                "give the green bar to the other hand",
            ),
            time_limit_s=14.0,
            recoveries=("misgrasp", "shift", "fumble"),
        ),
        TrayLift(
            "tray_lift",
            "tabletop",
            (
                "lift the tray with both hands",
                "raise the purple tray",
                "take the tray up by its handles",
            ),
            time_limit_s=9.0,
            recoveries=("misgrasp", "drop", "shift"),
        ),
        TowelFold(
            "towel_fold",
            "towel",
            (
                "fold the towel",
                "fold the towel in half",
                "lay the far edge of the towel on the near one",
            ),
            time_limit_s=12.0,
            recoveries=("misgrasp",),
        ),
    )
}

#: Evaluated but not learned: models know the parts, not what one part leaves to the next.
LONG_TASKS: dict[str, LongTask] = {
    task.name: task
    for task in (
        LongTask.of("pick_then_reach", TASKS["pick_lift"], TASKS["pick_lift"], TASKS["reach"]),
        LongTask.of("reach_then_tray", TASKS["tray_lift"], TASKS["reach"], TASKS["tray_lift"]),
    )
}

"""Long tasks: several tasks one after the other, in one scene that has room for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs.tasks.task import Task

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

HELD_S = 0.2  # a part is done once its success test has held for this long, s


@dataclass(frozen=True)
class LongTask(Task):
    """Done when its last part is, and all others were before, in their order.

    How far it has come is the rig's to remember; what was done may be undone by a later part.

    Attributes:
        steps: the tasks; all in the scene of ``layout``.
        layout: the task that lays out the scene.
    """

    steps: tuple[Task, ...] = ()
    layout: Task | None = None

    @staticmethod
    def of(name: str, layout: Task, *steps: Task) -> LongTask:
        """Put a long task together."""
        return LongTask(
            name,
            layout.scene,
            (", then ".join(step.instructions[0] for step in steps),),
            sum(step.time_limit_s for step in steps),
            steps=steps,
            layout=layout,
        )

    @property
    def parts(self) -> tuple[Task, ...]:
        return self.steps

    @property
    def objects(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.steps[0].objects

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        assert self.layout is not None  # `of` gives one
        self.layout.place(rig, generator)

    def succeeded(self, rig: MujocoRig) -> bool:
        return rig.parts_done == len(self.steps) - 1 and self.steps[-1].succeeded(rig)

    def undone(self, rig: MujocoRig) -> float:
        return sum(step.way_left(rig) for step in self.steps[rig.parts_done :])

    def perform(self, performance: Performance, mistake: str) -> None:
        for step in self.steps:
            step.perform(performance, mistake)
            mistake = ""

    def aims(self, rig: MujocoRig) -> np.ndarray:
        return self.steps[0].aims(rig)

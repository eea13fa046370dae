"""Reach: bring each tool to the marker of its arm's colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs import simulated_scene as scene
from wm_planner.rigs.hands import LOWER, UPPER, Hands
from wm_planner.rigs.tasks.tabletop import place_tabletop
from wm_planner.rigs.tasks.task import Task

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

TOLERANCE_M = 0.03  # the marker's radius and a little
MISS_M = (0.02, 0.05)  # what an expert that errs is wrong by on each axis, standard deviation


@dataclass(frozen=True)
class Reach(Task):
    """Both hands at once; the markers stand on posts so that one camera can tell how far."""

    objects = tuple(f"{side}_marker" for side in scene.SIDES)

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        place_tabletop(rig, generator, with_tray=bool(generator.random() < 0.7))

    def succeeded(self, rig: MujocoRig) -> bool:
        return bool((self.distance(rig) < TOLERANCE_M).all())

    def undone(self, rig: MujocoRig) -> float:
        """Of both tools, outside of the tolerance around their markers."""
        return float(np.maximum(self.distance(rig) - TOLERANCE_M, 0.0).sum())

    def distance(self, rig: MujocoRig) -> np.ndarray:
        """From each tool to its marker, shape (2,), m."""
        return np.linalg.norm(rig.tool_position() - self.aims(rig), axis=1)

    def aims(self, rig: MujocoRig) -> np.ndarray:
        return np.stack([rig.object_position(name) for name in self.objects])

    def perform(self, performance: Performance, mistake: str) -> None:
        if mistake:
            by = performance.generator.uniform(*MISS_M)  # a little outside of the tolerance, or far
            missed = self._at_markers(performance, performance.generator.normal(0, by, (2, 3)))
            performance.move(missed, performance.pace(7), good=False)
            if mistake == "fail":
                performance.hold(5, good=False)
                return
        steps = 4 if mistake else 7
        performance.move(self._at_markers(performance, np.zeros((2, 3))), performance.pace(steps))
        performance.hold(5)

    def _at_markers(self, performance: Performance, offset: np.ndarray) -> Hands:
        target = performance.hands.copy()
        for side, name in enumerate(scene.SIDES):
            place = performance.rig.object_position(f"{name}_marker") + offset[side]
            target.position[side] = np.clip(place, LOWER[side], UPPER[side])
            target.turn[side] = 0.0
        return target

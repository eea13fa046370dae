"""Reach: bring each tool to the marker of its arm's colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.rigs import simulated_scene as scene
from wm_planner.rigs.tasks.tabletop import place_tabletop
from wm_planner.rigs.tasks.task import Task

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance

TOLERANCE_M = 0.03  # the marker's radius and a little


@dataclass(frozen=True)
class Reach(Task):
    """Both hands at once; the markers stand on posts so that one camera can tell how far."""

    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        place_tabletop(rig, generator, with_tray=bool(generator.random() < 0.7))

    def succeeded(self, rig: MujocoRig) -> bool:
        return bool((self.distance(rig) < TOLERANCE_M).all())

    def distance(self, rig: MujocoRig) -> np.ndarray:
        """From each tool to its marker, shape (2,), m."""
        markers = np.stack([rig.object_position(f"{side}_marker") for side in scene.SIDES])
        return np.linalg.norm(rig.tool_position() - markers, axis=1)

    def perform(self, performance: Performance, mistake: str) -> None:
        rig, generator = performance.rig, performance.generator
        target = performance.hands.copy()
        for side, name in enumerate(scene.SIDES):
            miss = generator.normal(0, 0.06, 3) if mistake == "fail" else 0.0
            target.position[side] = rig.object_position(f"{name}_marker") + miss
            target.turn[side] = 0.0
        performance.move(target, performance.pace(7), good=mistake != "fail")
        performance.hold(5, good=mistake != "fail")

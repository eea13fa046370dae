"""Trying plans out in the simulator, and going back: what no planner could know."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.assembly import Stack
from wm_planner.closed_loop.acting import act
from wm_planner.executor import Executor
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.types import HandPoses, ObservationWindow, Plan


@dataclass(frozen=True, eq=False)
class Trial:
    """What became of a plan; N steps.

    Attributes:
        refusal: why the executor did not take it, "" where it did; then nothing was tried.
        succeeded: whether physics said that the task was done, shape (N,), after each step.
        way_left: how far it was from that, shape (N,), m.
        hands: measured, leading axes (N,); None where it was refused.
        seen: what the world model's camera saw after the steps asked for, in the known view as
            windows are, (L, h, w, 3), uint8; None where it was not asked to look.
    """

    refusal: str
    succeeded: np.ndarray
    way_left: np.ndarray
    hands: HandPoses | None
    seen: np.ndarray | None = None


class Trials:
    """Plans carried out one after the other, all from the same moment of an episode.

    A disturbance that has not begun by then does not happen: a trial is no foresight.

    Args:
        stack: whose plans they are.
        rig: as it is when the plan would begin; back to that after every trial.
        executor: at that moment; stays as it is.
        window: what the planner sees at that moment.

    Attributes:
        window: the same.
        start: measured hands at that moment.
        way_left: how far the task is from success then, m.
    """

    def __init__(
        self, stack: Stack, rig: SimulatedRig, executor: Executor, window: ObservationWindow
    ) -> None:
        self._robot, self._spec, self.window = stack.robot, stack.world_model.spec, window
        self._rig, self._executor, self._view = rig, executor, stack.view
        self._snapshot: Any = rig.snapshot()
        position, _, width = rig.joint_state()
        self.start, self.way_left = self._robot.hand_poses(position, width), rig.way_left()

    def run(
        self, plan: Plan, steps: int, step_s: float | None = None, looks: Sequence[int] = ()
    ) -> Trial:
        """Carry out the beginning of a plan.

        Args:
            plan: what to try.
            steps: N, how many.
            step_s: how long each is, s; None for the spacing of observations.
            looks: after how many steps the camera looks, L of them, rising.
        """
        rig, executor = self._rig, copy.copy(self._executor)
        position, _, width = rig.joint_state()
        executor.see_joints(position, width, rig.time_ns)
        refusal = executor.set_plan(plan, rig.time_ns)
        if refusal:
            return Trial(refusal, np.zeros(0, bool), np.zeros(0), None)
        rig.suspend_disturbance()
        succeeded, left, hands, seen = [], [], [], []
        try:
            for step in range(1, steps + 1):
                act(executor, rig, position, width, step_s or self._spec.dt)
                position, _, width = rig.joint_state()
                succeeded.append(rig.succeeded())
                left.append(rig.way_left())
                hands.append(self._robot.hand_poses(position, width))
                if step in looks:
                    frame = rig.observe().images[self._spec.camera]
                    seen.append(self._view.corrected(frame) if self._view else frame)
        finally:
            rig.restore(self._snapshot)
        measured = HandPoses(
            *(np.stack([getattr(h, n) for h in hands]) for n in ("position", "rotation", "width"))
        )
        pictures = np.stack(seen) if seen else None
        return Trial("", np.array(succeeded), np.array(left), measured, pictures)

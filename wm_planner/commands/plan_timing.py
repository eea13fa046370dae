"""How long this machine takes for one plan: told by `check`, and what paces the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wm_planner.observation_history import ObservationHistory
from wm_planner.types import Goal, Observation

if TYPE_CHECKING:
    from wm_planner.assembly import Stack
    from wm_planner.planner import PlanReport

#: Share of the time between two plans that planning may take before the demo slows time down.
LATENCY_SHARE = 0.35
#: The graph's other processes share the machine with the planner.
CROWDED = 1.5
SLOWEST = 0.1


def time_a_plan(stack: Stack) -> PlanReport:
    """Make a plan at home on a blank picture, twice: the first one warms up."""
    spec, home = stack.world_model.spec, stack.rig_description.home
    image = np.zeros((*spec.image_size, 3), np.uint8)
    width = stack.rig_description.max_gripper_width
    observation = Observation(0, {spec.camera: image}, home, np.zeros_like(home), width)
    history = ObservationHistory(spec.dt, spec.context_frames)
    history.add(observation, stack.robot.hand_poses(home, width))
    window = history.window()
    assert window is not None
    goal = Goal(spec.instructions[0] if spec.instructions else None)
    for _ in range(2):
        report = stack.planner.plan(window, goal, np.random.default_rng(0))
    return report


def real_time_factor_for(latency_s: float, replanning_s: float) -> float:
    """Simulated over wall seconds at which plans come in time, 0.1 to 1, in steps of 0.05.

    Args:
        latency_s: of one plan on this machine, otherwise idle.
        replanning_s: time that a plan is followed before the next.
    """
    factor = LATENCY_SHARE * replanning_s / (CROWDED * latency_s)
    return float(np.clip(np.floor(factor * 20) / 20, SLOWEST, 1.0))

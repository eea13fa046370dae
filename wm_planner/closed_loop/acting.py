"""Acting in simulated time, with the executor at its own rate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wm_planner.executor import Executor
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.types import Command


def act(
    executor: Executor,
    rig: SimulatedRig,
    position: np.ndarray,
    width: np.ndarray,
    seconds: float,
    before_each: Callable[[], None] = lambda: None,
) -> list[Command]:
    """Let time pass, and return what was sent to the arms.

    Args:
        executor: says what to send.
        rig: to which.
        position: of the joints when they were last seen, (D,) rad.
        width: of the grippers, (2,) m.
        seconds: how long.
        before_each: what may happen before each of the executor's ticks.
    """
    ticks = max(1, round(seconds / executor.settings.period_s))
    sent = []
    for _ in range(ticks):
        before_each()
        now_ns = rig.time_ns
        executor.see_joints(position, width, now_ns)  # simulated joints are never silent
        executor.see_planner(now_ns)
        command = executor.next_command(now_ns)
        if isinstance(command, Command):
            sent.append(rig.apply(command))
        rig.step(seconds / ticks)
    return sent

"""What the executor can be set to, and what it can be doing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from wm_planner.settings import setting


@dataclass(frozen=True)
class ExecutorSettings:
    """How plans are carried out, and what is waited for how long."""

    period_s: float = setting(
        0.02, unit="s", minimum=0.001, maximum=0.2, help="Time between two commands."
    )
    look_ahead_s: float = setting(
        0.06, unit="s", minimum=0.0, maximum=1.0, help="How far ahead of now a command aims."
    )
    joints_timeout_s: float = setting(
        0.25, unit="s", minimum=0.01, maximum=10.0, help="Silence of the joints that stops."
    )
    planner_timeout_s: float = setting(
        0.3, unit="s", minimum=0.05, maximum=60.0, help="Silence of the planner that stops."
    )
    start_tolerance: float = setting(
        0.15, unit="rad", minimum=0.0, maximum=3.2, help="Measured from commanded joints at rest."
    )


class ExecutorState(str, Enum):
    """What the executor is doing."""

    IDLE = "IDLE"  # no plan was ever accepted
    EXECUTING = "EXECUTING"
    HOLDING = "HOLDING"  # the plan is over: positions are kept
    STOPPED = "STOPPED"  # something was wrong: needs a plan made afterwards
    ESTOPPED = "ESTOPPED"  # emergency stop: needs a reset


@dataclass(frozen=True)
class Hold:
    """Nothing is to be sent, and why."""

    state: ExecutorState
    reason: str

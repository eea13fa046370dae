"""When frames have left the dream, and what is done about it."""

from __future__ import annotations

from dataclasses import dataclass

from wm_planner.settings import setting

ON_DRIFT = ("replan", "stop", "ignore")


@dataclass(frozen=True)
class DriftSettings:
    """How far what is seen may be from the dream that is being executed."""

    on_drift: str = setting(
        "ignore",
        choices=ON_DRIFT,
        help="what to do when frames leave the dream: plan at once, end the task, or only report",
    )
    drift_limit: float = setting(
        2.9,
        minimum=0.1,
        maximum=100.0,
        help="largest distance from the dream, in errors that the world model makes in showing a "
        "frame that it has seen",
    )
    drift_steps: float = setting(
        3.0, "steps", 0.0, 100.0, "how long the distance must be beyond the limit, or within again"
    )
    drift_band: float = setting(
        2.0, "steps", 0.0, 100.0, "how much earlier or later than planned is no drift"
    )
    drift_memory: float = setting(
        0.3, minimum=0.0, maximum=0.99, help="weight of a frame against that of the next step"
    )
    drift_pause: float = setting(
        3.0, "steps", 1.0, 100.0, "how long a plan is followed before drift may replace it"
    )

"""Plans and limits simple enough to check by eye."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from wm_planner.types import Plan

D = 12
LIMITS = SimpleNamespace(
    position_lower=np.full(D, -2.0),
    position_upper=np.full(D, 2.0),
    acceleration_limit=np.full(D, 15.0),
)


def make_plan(
    start_s: float = 0.0,
    speed: float = 0.5,
    horizon: int = 12,
    dt: float = 0.2,
    plan_id: int = 1,
    origin: float = 0.0,
) -> Plan:
    """All joints move at one speed, rad/s, from a position `origin` at start_s."""
    rows = origin + speed * dt * np.arange(1, horizon + 1)[:, None] * np.ones(D)
    return Plan(
        plan_id=plan_id,
        start_ns=round(start_s * 1e9),
        dt=dt,
        actions=np.zeros((horizon, 20)),
        joint_position=rows,
        joint_velocity=np.full((horizon, D), speed),
        gripper_width=np.full((horizon, 2), 0.04),
        dream=np.zeros((horizon, 2, 10)),
        bundle_hash="hash",
        candidate=0,
    )

"""Plans and limits simple enough to check by eye."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np

from wm_planner.types import Plan

D = 12
LIMITS = SimpleNamespace(
    position_lower=np.full(D, -2.0),
    position_upper=np.full(D, 2.0),
    velocity_limit=np.full(D, 2.5),
    acceleration_limit=np.full(D, 15.0),
    jerk_limit=np.full(D, 150.0),
    width_rate_limit=np.full(2, 1.0),
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


def wandering_plan(
    generator: np.random.Generator, share: float = 1.0, horizon: int = 12, **how: float
) -> Plan:
    """A plan within the joints' range whose worst row difference is a share of its limit."""
    plan = make_plan(horizon=horizon, **how)
    rows = np.cumsum(np.cumsum(generator.normal(size=(horizon, D)), axis=0), axis=0)
    limits = (LIMITS.velocity_limit, LIMITS.acceleration_limit, LIMITS.jerk_limit)
    worst = max(
        float((np.abs(np.diff(rows, n=order, axis=0)) / plan.dt**order / limit).max(initial=1e-9))
        for order, limit in enumerate(limits, start=1)
    )
    rows *= share / worst
    middle = (rows.max(axis=0) + rows.min(axis=0)) / 2
    room = 1.999 - (rows.max(axis=0) - rows.min(axis=0)) / 2
    rows += generator.uniform(-1, 1, D) * np.maximum(room, 0.0) - middle
    return dataclasses.replace(
        plan,
        joint_position=np.clip(rows, -2.0, 2.0) if (room < 0).any() else rows,
        gripper_width=generator.uniform(0.0, 0.09, (horizon, 2)),
    )

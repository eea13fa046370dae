"""Motions are continuous in position and velocity, and honest about their acceleration."""

from __future__ import annotations

import numpy as np
import pytest
from simple_plans import LIMITS, D, make_plan

from wm_planner.executor.motions import Braking, PlanMotion, Posture, peak_acceleration

LIMIT = LIMITS.acceleration_limit


def rest(position: float = 0.0) -> Posture:
    return Posture(np.full(D, position), np.zeros(D), np.full(2, 0.08))


def sample(motion, times):
    postures = [motion.sample(t) for t in times]
    return tuple(
        np.array([getattr(p, name) for p in postures]) for name in ("position", "velocity", "width")
    )


def test_that_rows_are_met_on_time():
    plan = make_plan()
    motion = PlanMotion(plan, rest(), 0.0, LIMIT)
    for row in range(motion.first_row, 12):
        posture = motion.sample((row + 1) * 0.2)
        np.testing.assert_allclose(posture.position, plan.joint_position[row], atol=1e-12)
        np.testing.assert_allclose(posture.velocity, plan.joint_velocity[row], atol=1e-9)
        np.testing.assert_allclose(posture.width, plan.gripper_width[row])
    assert motion.end_s == pytest.approx(2.4)


def test_that_velocity_is_the_derivative_of_position(generator):
    plan = make_plan()
    start = Posture(np.full(D, -0.02), generator.normal(size=D) * 0.1, np.zeros(2))
    times = np.arange(0.05, 2.3, 1e-3)
    position, velocity, _ = sample(PlanMotion(plan, start, 0.05, LIMIT), times)
    np.testing.assert_allclose(np.gradient(position, 1e-3, axis=0)[1:-1], velocity[1:-1], atol=5e-3)
    assert np.abs(np.diff(velocity, axis=0)).max() < 20e-3  # no jumps


def test_that_the_way_in_keeps_the_acceleration_limit():
    """From rest to 1.5 rad/s in one step of 0.2 s is too fast, so rows are left out."""
    motion = PlanMotion(make_plan(speed=1.5), rest(), 0.0, LIMIT)
    assert motion.first_row > 0
    _, velocity, _ = sample(motion, np.arange(0, (motion.first_row + 1) * 0.2, 1e-3))
    assert np.abs(np.diff(velocity, axis=0)).max() <= 15.0 * 1e-3 * 1.01
    assert PlanMotion(make_plan(speed=0.5), rest(), 0.0, LIMIT).first_row == 0


def test_that_what_cannot_be_reached_has_no_first_row():
    assert PlanMotion(make_plan(horizon=2), rest(1.5), 0.0, LIMIT).first_row is None
    assert PlanMotion(make_plan(), rest(), 2.5, LIMIT).first_row is None


def test_that_peak_acceleration_is_what_differences_show(generator):
    start = Posture(generator.normal(size=D), generator.normal(size=D), np.zeros(2))
    plan = make_plan(horizon=1, dt=0.5)
    end = Posture(plan.joint_position[0], plan.joint_velocity[0], np.zeros(2))
    motion = PlanMotion(plan, start, 0.0, np.full(D, np.inf))
    _, velocity, _ = sample(motion, np.linspace(0, 0.5, 5001))
    seen = np.abs(np.diff(velocity, axis=0)).max(axis=0) / 1e-4
    np.testing.assert_allclose(peak_acceleration(start, end, 0.5), seen, rtol=1e-2)
    np.testing.assert_allclose(motion.peak_acceleration(), seen, rtol=1e-2)


@pytest.mark.parametrize("speed", [0.0, 0.3, 2.5])
def test_that_braking_ends_at_rest_within_the_limit(speed, generator):
    start = Posture(np.zeros(D), speed * generator.uniform(-1, 1, D), np.full(2, 0.03))
    braking = Braking(start, 1.0, LIMIT)
    times = np.arange(1.0, braking.end_s + 0.05, 1e-3)
    position, velocity, width = sample(braking, times)
    assert np.abs(np.diff(velocity, axis=0)).max(initial=0) <= 15.0 * 1e-3 * 1.01
    np.testing.assert_allclose(velocity[-1], 0.0)
    np.testing.assert_allclose(np.gradient(position, 1e-3, axis=0)[1:-1], velocity[1:-1], atol=0.01)
    assert (width == 0.03).all()
    assert braking.end_s - 1.0 <= max(speed / 15.0, 1e-3) + 1e-9
    direction = position[1:] - position[0]  # a straight line in joint space
    cross = direction[:, :1] * start.velocity[1:] - direction[:, 1:] * start.velocity[0]
    np.testing.assert_allclose(cross, 0.0, atol=1e-9)

"""Stops and ways into plans keep the limits, or are not there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from simple_plans import LIMITS, D

from wm_planner.executor.limited_motion import stop, way_into
from wm_planner.executor.motions import Posture, at_rest

MS = 1_000_000
FREE = SimpleNamespace(**{**vars(LIMITS), "jerk_limit": np.full(D, np.inf)})


def moving(generator, speed=1.0, bend=1.0, position=None) -> Posture:
    position = generator.uniform(-1, 1, D) if position is None else position
    velocity = speed * generator.uniform(-1, 1, D)
    return Posture(position, velocity, bend * generator.uniform(-10, 10, D), np.full(2, 0.03))


def rates(motion, start_ns, end_ns):
    times = np.arange(start_ns, end_ns, MS)
    postures = [motion.sample(int(t)) for t in times]
    velocity = np.array([p.velocity for p in postures])
    return velocity, np.diff(velocity, axis=0) * 1e3, np.diff(velocity, n=2, axis=0) * 1e6


@pytest.mark.parametrize("limits", [LIMITS, FREE])
@pytest.mark.parametrize("seed", range(10))
def test_that_a_stop_ends_at_rest_within_the_limits(limits, seed):
    start = moving(np.random.default_rng(seed))
    ending = stop(start, 10**18, limits)  # stamps are large: nothing may be lost in them
    velocity, acceleration, jerk = rates(ending, 10**18, ending.end_ns + 5 * MS)
    assert np.abs(velocity).max() <= 2.5 + 1e-6
    assert np.abs(acceleration).max() <= 15.0 * (1 + 1e-6)
    if limits is LIMITS:
        assert np.abs(jerk).max() <= 150.0 * (1 + 1e-5)
    last = ending.sample(ending.end_ns)
    np.testing.assert_allclose(last.velocity, 0.0, atol=1e-9)
    np.testing.assert_allclose(ending.sample(10**18).position, start.position, atol=1e-12)
    assert (last.width == start.width).all()


def test_that_there_is_a_stop_also_where_joints_cannot_arrive_together():
    """One brakes backwards at full acceleration while the other has a long way to rest."""
    velocity, bend = np.zeros(D), np.zeros(D)
    velocity[:3], bend[:3] = (-0.1207488230149754, 0.4976, 0.8), (15.000003, 0.0, 4.3556)
    start = Posture(np.zeros(D), velocity, bend, np.zeros(2))
    ending = stop(start, 0, LIMITS)
    _, acceleration, jerk = rates(ending, 0, ending.end_ns)
    assert np.abs(acceleration).max() <= 15.0 * (1 + 1e-6)
    assert np.abs(jerk).max() <= 150.0 * (1 + 1e-5)


def test_that_there_is_no_stop_where_a_joint_would_hit_its_end(generator):
    near = at_rest(np.full(D, 1.999), np.zeros(2))
    assert stop(near, 0, LIMITS) is not None
    towards = Posture(near.position, np.full(D, 0.5), np.zeros(D), np.zeros(2))
    away = Posture(near.position, np.full(D, -0.5), np.zeros(D), np.zeros(2))
    assert stop(towards, 0, LIMITS) is None
    assert stop(away, 0, LIMITS) is not None


def test_that_there_is_no_stop_where_speed_grows_beyond_its_limit_first():
    def at(acceleration):
        velocity = np.full(D, 2.4)
        return Posture(np.zeros(D), velocity, np.full(D, acceleration), np.zeros(2))

    assert stop(at(4.0), 0, LIMITS) is not None  # 2.4 + 4^2 / 300
    assert stop(at(6.0), 0, LIMITS) is None
    assert stop(at(-6.0), 0, LIMITS) is not None


@pytest.mark.parametrize("limits", [LIMITS, FREE])
@pytest.mark.parametrize("seed", range(10))
def test_that_a_way_leads_into_a_moving_posture_on_time_or_is_not_there(limits, seed):
    generator = np.random.default_rng(seed)
    start = moving(generator, 0.5, 0.0 if limits is FREE else 0.3)
    end = moving(generator, 0.5, 0.0 if limits is FREE else 0.3, start.position + 0.1)
    durations = [50, 100, 200, 400, 800, 1600]
    ways = [way_into(start, 0, end, duration * MS, limits) for duration in durations]
    assert ways[0] is None
    assert ways[-1] is not None
    for duration, way in zip(durations, ways, strict=True):
        if way is None:
            continue
        reached = way.sample(duration * MS)
        np.testing.assert_allclose(reached.position, end.position, atol=1e-6)
        np.testing.assert_allclose(reached.velocity, end.velocity, atol=1e-6)
        velocity, acceleration, jerk = rates(way, 0, duration * MS)
        assert np.abs(velocity).max() <= 2.5 * (1 + 1e-6)
        assert np.abs(acceleration).max() <= 15.0 * (1 + 1e-6)
        if limits is LIMITS:
            np.testing.assert_allclose(reached.acceleration, end.acceleration, atol=1e-4)
            assert np.abs(jerk).max() <= 150.0 * (1 + 1e-5)

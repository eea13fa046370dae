"""A plan's curve has the rates of its rows' differences, no more."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from simple_plans import LIMITS, D, make_plan, wandering_plan

from wm_planner.executor.plan_curve import PlanCurve

MS = 1_000_000


def sample(curve, step_ns=5 * MS):
    times = np.arange(curve.start_ns, curve.end_ns + 1, step_ns)
    postures = [curve.sample(int(t)) for t in times]
    rates = [np.array([getattr(p, n) for p in postures]) for n in ("position", "velocity")]
    return times * 1e-9, *rates, np.array([p.acceleration for p in postures])


def test_that_rows_on_a_line_are_met_on_time():
    plan = make_plan()
    curve = PlanCurve(plan, LIMITS)
    assert (curve.start_ns, curve.end_ns) == (200 * MS, 2400 * MS)
    for row in range(12):
        posture = curve.sample((row + 1) * 200 * MS)
        np.testing.assert_allclose(posture.position, plan.joint_position[row], atol=1e-12)
        np.testing.assert_allclose(posture.velocity, 0.5, atol=1e-9)
        np.testing.assert_allclose(posture.width, plan.gripper_width[row])


@pytest.mark.parametrize("seed", range(10))
def test_that_its_peaks_are_those_of_the_rows_differences(seed):
    plan = wandering_plan(np.random.default_rng(seed), share=1.7)
    rows = plan.joint_position
    _, position, velocity, acceleration = sample(PlanCurve(plan, LIMITS))
    differences = [np.abs(np.diff(rows, n=n, axis=0)).max(axis=0) / 0.2**n for n in (1, 2, 3)]
    assert (np.abs(velocity).max(axis=0) <= differences[0] + 1e-9).all()
    np.testing.assert_allclose(np.abs(acceleration).max(axis=0), differences[1], rtol=1e-6)
    assert (position.max(axis=0) <= rows.max(axis=0) + 1e-9).all()
    assert (position.min(axis=0) >= rows.min(axis=0) - 1e-9).all()


def test_that_each_rate_is_the_derivative_of_the_one_before(generator):
    times, position, velocity, acceleration = sample(PlanCurve(wandering_plan(generator), LIMITS))
    for whole, rate in ((position, velocity), (velocity, acceleration)):
        slope = np.gradient(whole, times, axis=0)
        np.testing.assert_allclose(slope[1:-1], rate[1:-1], atol=1.0 * 0.005 * 150)


def test_that_corners_are_cut_by_a_sixth_of_the_bend(generator):
    plan = wandering_plan(generator)
    curve, rows = PlanCurve(plan, LIMITS), plan.joint_position
    for row in range(1, 11):
        bend = rows[row - 1] - 2 * rows[row] + rows[row + 1]
        met = curve.sample((row + 1) * 200 * MS).position
        np.testing.assert_allclose(met - rows[row], bend / 6, atol=1e-9)


@pytest.mark.parametrize(("share", "fits"), [(0.3, True), (1.0, True), (1.01, False), (4.0, False)])
def test_that_it_complains_of_rows_beyond_a_limit_and_of_nothing_else(share, fits, generator):
    for _ in range(10):
        plan = wandering_plan(generator, share)
        assert (PlanCurve(plan, LIMITS).complaint(0) == "") == fits


def test_that_what_is_past_is_not_complained_of(generator):
    plan = make_plan()
    rows = plan.joint_position.copy()
    rows[1] += 0.5
    plan = dataclasses.replace(plan, joint_position=rows)
    curve = PlanCurve(plan, LIMITS)
    assert curve.complaint(0) == "its velocity is 1.20 of a joint's limit"
    assert curve.complaint(round(0.9e9)) == ""


@pytest.mark.parametrize("jerk", [20.0, np.inf])
def test_that_stiff_ends_are_left_out_where_jerk_is_limited(jerk):
    """Rows that are bent from the first to the last one; on a line behind them jerk is 25."""
    limits = SimpleNamespace(**{**vars(LIMITS), "jerk_limit": np.full(D, jerk)})
    rows = 0.5 * 5.0 * (0.2 * np.arange(6)[:, None] - 0.5) ** 2 * np.ones(D)
    curve = PlanCurve(dataclasses.replace(make_plan(horizon=6), joint_position=rows), limits)
    steps = 1 if jerk < 25.0 else 0
    assert curve.start_ns == (1 + steps) * 200 * MS
    assert curve.end_ns == (6 - steps) * 200 * MS
    assert curve.complaint(0) == ""
    _, _, _, acceleration = sample(curve)
    assert np.abs(np.diff(acceleration, axis=0)).max() <= min(jerk, 26.0) * 0.005


def test_that_one_row_is_a_place_to_rest():
    curve = PlanCurve(make_plan(horizon=1), LIMITS)
    posture = curve.sample(curve.end_ns)
    np.testing.assert_allclose(posture.position, 0.1)
    np.testing.assert_allclose(posture.velocity, 0.0)
    assert curve.start_ns <= curve.end_ns

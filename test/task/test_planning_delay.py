"""The running estimate of how long a plan takes."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.task.planning_delay import REMEMBERED, PlanningDelay


def test_that_nothing_is_reckoned_with_before_something_was_measured():
    assert PlanningDelay().estimate(0.9, 1.0) == 0.0


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.9, 1.0])
def test_that_as_many_plans_are_in_time_as_was_asked_for(quantile):
    delay, measured = PlanningDelay(), np.random.default_rng(0).uniform(0.1, 0.5, REMEMBERED)
    for seconds in measured:
        delay.add(seconds)
    estimate = delay.estimate(quantile, 1.0)
    assert np.mean(measured <= estimate) >= quantile
    assert estimate in measured


def test_that_it_is_clamped_and_forgets():
    delay = PlanningDelay()
    delay.add(50.0)
    assert delay.estimate(0.9, 1.0) == 1.0
    for _ in range(REMEMBERED):
        delay.add(-0.01)  # clocks that disagree
    assert delay.estimate(1.0, 1.0) == 0.0

"""The demo slows simulated time down just enough for plans to come in time."""

from __future__ import annotations

import pytest

from wm_planner.commands.plan_timing import real_time_factor_for


def test_a_fast_machine_runs_in_real_time():
    assert real_time_factor_for(latency_s=0.05, replanning_s=0.8) == 1.0


def test_a_slow_machine_slows_time_in_proportion():
    slow = real_time_factor_for(latency_s=0.5, replanning_s=0.8)
    assert slow == pytest.approx(0.35)
    assert real_time_factor_for(latency_s=1.0, replanning_s=0.8) <= slow / 2 + 0.05


def test_time_never_stands_still():
    assert real_time_factor_for(latency_s=100.0, replanning_s=0.8) == 0.1

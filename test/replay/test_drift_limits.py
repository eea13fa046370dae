"""Drift limits from bags: a plan is told to drift where a monitor with that limit tells it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from simple_bags import START, STORE, Message, run, write_bag
from simple_plans import make_plan

from wm_planner.cli import main
from wm_planner.drift.drift_monitor import DriftMonitor
from wm_planner.drift.drift_settings import DriftSettings
from wm_planner.replay.drift_limits import by_plan, drift_limit, lasting, lasting_distances

NAN = math.nan


def drifts(plan_readings: list[tuple[float, float]], limit: float, steps: float) -> bool:
    """Whether a monitor of a dream that never moves finds these frames to leave it."""
    plan = make_plan()  # steps of 0.2 s from 0 on
    settings = DriftSettings(drift_limit=limit, drift_steps=steps, drift_memory=0.0)
    monitor = DriftMonitor(plan, np.zeros(plan.dream.shape[1:]), 1.0, settings)
    frames = [
        monitor.read(np.full(plan.dream.shape[1:], distance), round(due * 0.2e9))
        for due, distance in plan_readings
    ]
    return any(frame.drifted for frame in frames)


@pytest.mark.parametrize("steps", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("seed", range(6))
def test_that_any_smaller_limit_is_an_alarm_and_no_larger_one_is(seed, steps):
    generator = np.random.default_rng(seed)
    due = np.cumsum(generator.choice([0.5, 1.0], 9))
    plan = list(zip(due, generator.uniform(0.2, 3.0, 9), strict=True))
    limit = lasting(plan, steps)
    assert drifts(plan, limit - 1e-3, steps)
    assert not drifts(plan, limit + 1e-3, steps)


def test_that_a_plan_that_was_followed_too_shortly_says_nothing():
    assert math.isnan(lasting([(0.5, 9.0), (1.0, 9.0)], 3.0))


def test_that_plans_are_told_apart_by_their_time():
    told = [(NAN, NAN), (1.0, 0.1), (2.0, 0.2), (1.0, 0.3), (1.5, NAN), (2.0, 0.4), (0.5, 0.5)]
    assert by_plan(told) == [[(1.0, 0.1), (2.0, 0.2)], [(1.0, 0.3), (2.0, 0.4)], [(0.5, 0.5)]]


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_that_as_many_plans_are_false_alarms_as_was_asked_for(generator, share):
    limit = drift_limit(generator.exponential(size=2000), share)
    assert abs((generator.exponential(size=5000) > limit).mean() - share) < 0.03
    assert math.isnan(drift_limit([1.0] * 3, share))


def progress(step: int, due: float, drift: float) -> Message:
    """How a planner reports on a frame that shows the dreamed step half a step late."""
    stamp_ns = START + step * 200_000_000
    stamp = STORE.types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
    message = STORE.types["wm_planner/msg/TaskProgress"](
        stamp, 0, 1, 0, "lift", "executing", NAN, NAN, 0, 0.2 * step, False, drift, 2.9,
        due - 0.5, 0.5, NAN, [], np.zeros(0, np.uint32),
    )  # fmt: skip
    return stamp_ns, "/planner/task", message


@pytest.fixture
def followed(tmp_path) -> Path:
    """Three plans of five frames each; the n-th is n from its dream, but for one frame."""
    frames = [(plan, k) for plan in (1, 2, 3) for k in range(1, 6)]
    messages = [progress(step, k, 9.0 if k == 2 else plan) for step, (plan, k) in enumerate(frames)]
    return write_bag(tmp_path / "bag", messages)


def test_that_the_command_reads_bags_and_prints_the_limit(followed, capsys):
    assert lasting_distances(followed, 3.0) == [1.0, 2.0, 3.0]
    assert main(["drift", str(followed), "--false-alarms", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert "3 plans followed for 3 steps or more, median 2.00, largest 3.00" in printed
    assert "drift_limit: 2.00 # 50% of 3 plans beyond it" in printed


def test_that_what_cannot_be_calibrated_is_said_in_a_sentence(followed, tmp_path, capsys):
    assert main(["drift", str(followed)]) == 2
    assert "3 plans, expected at least 19 for false alarms of 0.05" in capsys.readouterr().err
    assert main(["drift", str(followed), "--false-alarms", "1.5"]) == 2
    assert "--false-alarms is 1.5, expected 0 to 1" in capsys.readouterr().err
    silent = write_bag(tmp_path / "silent", run(0.2))
    assert main(["drift", str(silent)]) == 2
    assert "no wm_planner/msg/TaskProgress" in capsys.readouterr().err

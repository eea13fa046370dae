"""Figures of an evaluation against values from tables and by hand."""

from __future__ import annotations

import pytest

from wm_planner.closed_loop import EpisodeResult
from wm_planner.closed_loop.summary import summarise, wilson_interval
from wm_planner.rigs.disturbance import Disturbed


def make_result(seed=1_000_000, success=True, **changes) -> EpisodeResult:
    values = {
        "task": "lift",
        "seed": seed,
        "instruction": "lift",
        "success": success,
        "end": "success" if success else "time limit",
        "duration_s": 2.0,
        "plans": 3,
        "no_plans": 1,
        "rejections": {"WORKSPACE": 2},
        "refusals": {},
        "latency_s": {"imagine": [0.1, 0.2, 0.3], "total": [0.2, 0.3, 0.4]},
    }
    return EpisodeResult(**{**values, **changes})


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # Newcombe 1998, table I, method 3 (score)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval_against_a_published_table(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_that_the_interval_is_symmetric_and_whole_without_trials():
    low, high = wilson_interval(3, 10)
    assert wilson_interval(7, 10) == pytest.approx((1 - high, 1 - low))
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_the_summary_of_three_episodes():
    summary = summarise([make_result(1), make_result(2), make_result(3, success=False)])
    assert summary["episodes"] == 3
    assert summary["successes"] == 2
    assert summary["success_rate"] == pytest.approx(2 / 3)
    assert summary["rejections"] == {"WORKSPACE": 6}
    assert summary["ends"] == {"success": 2, "time limit": 1}
    assert summary["latency_ms"]["imagine"] == {"p50": 200.0, "p95": 300.0}
    assert (summary["plans"], summary["no_plans"]) == (9, 3)


def test_that_replans_are_added_up_and_that_only_drift_after_a_disturbance_notices_it():
    disturbed = Disturbed("object_moved", True, 2.0, "cube", "")
    results = [
        make_result(1, disturbed=disturbed, drifted_s=[1.0, 2.6], replans={"NEW_GOAL": 1}),
        make_result(2, disturbed=disturbed, drifted_s=[1.0], replans={"NEW_GOAL": 1, "DRIFT": 2}),
        make_result(3, disturbed=disturbed, drifted_s=[3.0, 4.0]),
    ]
    summary = summarise(results)
    assert summary["replans"] == {"NEW_GOAL": 2, "DRIFT": 2}
    assert summary["drifted"] == 5
    assert summary["disturbed"]["noticed"] == 2
    assert summary["disturbed"]["noticed_after_s"] == pytest.approx(0.8)


def test_the_summary_of_nothing():
    summary = summarise([])
    assert summary["success_rate"] == 0.0
    assert summary["interval_95"] == [0.0, 1.0]
    assert summary["latency_ms"] == {}


def test_that_successes_are_counted_where_the_disturbance_happened():
    hit, late = Disturbed("object_moved", True, 0.6, "cube", ""), Disturbed("object_moved")
    results = [
        make_result(success=True, disturbed=hit), make_result(success=False, disturbed=hit),
        make_result(success=True, disturbed=late),
    ]  # fmt: skip
    found = summarise(results)["disturbed"]
    assert (found["applied"], found["successes"]) == (2, 1)
    assert found["interval_95"] == pytest.approx(wilson_interval(1, 2))
    assert found["skipped"] == {"no hand came that far": 1}
    assert summarise([make_result()])["disturbed"] is None


def test_that_what_physics_and_the_planner_saw_is_counted_goal_by_goal():
    seen = [
        ([1.0, 2.0], [1.4, 2.4]),  # both, in time
        ([1.0, 2.0], [1.2]),  # the end was not noticed
        ([3.0], [2.0, 2.5]),  # both too early, the second never done
        ([], [0.5]),  # never done
        ([], []),
    ]
    results = [
        make_result(seed, len(done) == 2, done_s=done, seen_s=seen_s, retries=1)
        for seed, (done, seen_s) in enumerate(seen)
    ]
    contents = summarise(results)
    assert contents["by_goal"] == [
        {"done": 3, "seen": 4, "both": 3, "early": 2},
        {"done": 2, "seen": 2, "both": 1, "early": 1},
    ]
    assert contents["retries"] == 5
    assert summarise([make_result(done_s=[1.0], seen_s=[1.0])])["by_goal"] is None

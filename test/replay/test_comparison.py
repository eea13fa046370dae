"""Comparing is fair: nothing differs from itself, and sides swap when the order does."""

from __future__ import annotations

import copy

import pytest

from wm_planner.replay.comparison import STAGES, compare


def cycle(stamp: int, against: list[str], **parts: str) -> dict:
    """A planning cycle of one round; candidate k scored k."""
    rejections = {reason: against.count(reason) for reason in set(against) if reason}
    good = [k for k, reason in enumerate(against) if not reason]
    return {
        "stamp_ns": stamp,
        "plan_id": 1 if good else 0,
        "chosen": good[-1] if good else -1,
        "candidates": len(against),
        "against": against,
        "rejections": rejections,
        "rounds": [rejections],
        "total_score": [float(k) for k in range(len(against))],
        "parts": {**dict.fromkeys(STAGES, "same"), **parts},
    }


def result(*cycles: dict) -> dict:
    made = sum(bool(one["plan_id"]) for one in cycles)
    return {
        "bag": "run",
        "begin_ns": 0,
        "cycles": list(cycles),
        "plans": made,
        "planning_cycles": len(cycles),
    }


GOOD = result(cycle(1_000_000_000, ["", "", ""]), cycle(2_000_000_000, ["", "WORKSPACE", ""]))
STRICT = result(
    cycle(1_000_000_000, ["", "", ""]),
    cycle(2_000_000_000, ["JOINT_VELOCITY", "WORKSPACE", "JOINT_VELOCITY"], verdicts="other"),
)


def test_nothing_differs_from_itself():
    found = compare([GOOD, STRICT], [copy.deepcopy(GOOD), copy.deepcopy(STRICT)])
    assert found["same"] and found["first_divergence"] is None
    assert found["flips"] == {"rejected": {}, "accepted": {}}
    assert {m["difference"] for m in found["metrics"].values()} <= {0.0, None}


def test_flips_are_counted_by_reason_and_swap_sides_with_the_order():
    there, back = compare([GOOD], [STRICT]), compare([STRICT], [GOOD])
    assert there["flips"] == {"rejected": {"JOINT_VELOCITY": 2}, "accepted": {}}
    assert back["flips"] == {"rejected": {}, "accepted": {"JOINT_VELOCITY": 2}}
    assert there["decisions"]["no_plan"] == {"JOINT_VELOCITY": 1}
    assert back["decisions"]["plan"] == {"JOINT_VELOCITY": 1}
    assert there["first_divergence"]["seconds"] == 2.0
    assert there["first_divergence"]["stage"] == "verdicts"
    for name, metric in there["metrics"].items():
        if metric["difference"] is not None:
            assert metric["difference"] == -back["metrics"][name]["difference"]


def test_dreams_that_replaced_others_count_as_tried_and_leave_the_first_batch_comparable():
    again = cycle(2_000_000_000, ["JOINT_VELOCITY", "WORKSPACE", ""], regeneration="other")
    again["rounds"].append({"WORKSPACE": 1})  # two were dreamed anew, one of them in vain
    found = compare([GOOD], [result(GOOD["cycles"][0], again)])
    assert found["flips"] == {"rejected": {"JOINT_VELOCITY": 1}, "accepted": {}}
    assert found["first_divergence"]["stage"] == "regeneration"
    accepted = found["metrics"]["candidates accepted, share"]
    assert accepted["first"] == pytest.approx(1 - 1 / 6)
    assert accepted["second"] == pytest.approx(1 - 3 / 8)


def test_a_frame_on_which_only_one_planned_is_where_they_part():
    found = compare([GOOD], [result(GOOD["cycles"][1])])
    assert found["first_divergence"]["says"] == "only the old configuration planned on this frame"
    assert not found["same"]


def test_intervals_need_two_bags_and_hold_the_difference():
    name = "candidates accepted, share"
    assert compare([GOOD], [STRICT])["metrics"][name]["interval"] is None
    found = compare([GOOD, GOOD, STRICT], [STRICT, GOOD, GOOD])["metrics"][name]
    low, high = found["interval"]
    assert low <= found["difference"] <= high
    assert found["difference"] == pytest.approx(0.0)


def test_a_bag_that_failed_is_left_out_and_is_no_agreement():
    found = compare([GOOD, {"bag": "b", "error": "x"}], [GOOD, GOOD])
    assert found["bags"] == 1
    assert not found["same"]

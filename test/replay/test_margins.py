"""Margins count bags, not plans, and change sign when plans and baseline swap."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.replay.margins import COMMANDED, path_margins


def bag(*plans: tuple[float, float]) -> dict:
    """Plans that are one and standing still that is the other distance off; left half as far."""
    cycles = [
        {"foresight": {
            "dtw": [one / 2, one], "dtw_standing": [still / 2, still], "dtw_copying": [1.0, 1.0],
        }}
        for one, still in plans
    ]  # fmt: skip
    return {"bag": "run", "cycles": [*cycles, {"plan_id": 0}]}


def test_every_bag_counts_the_same_however_many_plans_it_has():
    found = path_margins([bag((0.01, 0.05)), bag(*[(0.03, 0.04)] * 9)])["right"]
    still = found["baselines"]["standing still"]
    assert found["bags"] == 2
    assert found["planned"] == pytest.approx(0.02)
    assert still["mean"] == pytest.approx(0.045) and still["margin"] == pytest.approx(0.025)
    np.testing.assert_allclose(still["interval"], [0.01, 0.04], atol=1e-12)


def test_margins_are_told_hand_by_hand_and_swap_signs_with_the_sides(generator):
    pairs = generator.uniform(0.01, 0.05, (6, 2)).tolist()
    there = path_margins([bag(pair) for pair in pairs])
    back = path_margins([bag(pair[::-1]) for pair in pairs])
    for hand, share in (("left", 0.5), ("right", 1.0)):
        one, other = (found[hand]["baselines"]["standing still"] for found in (there, back))
        expected = share * np.mean([still - planned for planned, still in pairs])
        assert one["margin"] == pytest.approx(expected)
        assert other["margin"] == pytest.approx(-expected)
        assert one["interval"][0] < one["margin"] < one["interval"][1]


def test_bags_that_do_not_say_what_was_commanded_do_not_count_there():
    def told(distances: tuple[float, float]) -> dict:
        found = bag((0.01, 0.02))
        mine = found["cycles"][0]["foresight"]
        mine |= {"command_dtw": distances, "command_dtw_standing": (0.5, 0.7)}
        return {**found, "cycles": [{"foresight": {**mine, "command_dtw_copying": (1.0, 1.0)}}]}

    silent = bag((0.01, 0.02))
    silent["cycles"][0]["foresight"]["command_dtw"] = None
    found = path_margins([told((0.1, 0.3)), silent, told((0.2, 0.4))], COMMANDED)
    assert found["left"]["bags"] == 2
    assert found["right"]["planned"] == pytest.approx(0.35)
    assert found["right"]["baselines"]["standing still"]["margin"] == pytest.approx(0.35)
    assert path_margins([silent], COMMANDED) == {}


def test_bags_without_plans_are_left_out_and_one_bag_has_no_interval():
    nothing, failed = {"bag": "run", "cycles": []}, {"bag": "run", "error": "damaged"}
    assert path_margins([nothing, failed]) == {}
    found = path_margins([nothing, bag((0.01, 0.02)), failed])["right"]
    assert found["bags"] == 1
    assert found["baselines"]["standing still"]["interval"] is None

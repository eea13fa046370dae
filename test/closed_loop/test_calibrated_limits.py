"""Limits that are calibrated on candidates of which it is known whether they can be carried out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wm_planner.closed_loop.calibrated_limits import calibrate, measured_by_filters
from wm_planner.closed_loop.executability import TriedCandidate


def episodes_of(generator, count: int, size: int, shift: float) -> list[list[TriedCandidate]]:
    """Half of the candidates are executable; of the others the cost is larger by a shift."""
    return [
        [
            TriedCandidate(
                0, k, False, "", {"cost": float(generator.normal() + shift * (k % 2))},
                succeeded=k % 2 == 0,
            )
            for k in range(size)
        ]
        for _ in range(count)
    ]  # fmt: skip


def good(candidate: TriedCandidate) -> bool:
    return candidate.succeeded


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_false_rejections_are_as_many_as_asked_for(generator, share):
    found = calibrate(episodes_of(generator, 40, 200, 0.0), good, "cost", share)
    assert found.executable == found.others == 2000
    spread = 4 * math.sqrt(share * (1 - share) / 1000)
    assert abs(found.executable_over / found.executable - share) < spread
    assert abs(found.others_over / found.others - share) < spread  # nothing tells them apart


def test_what_tells_them_apart_rejects_the_others(generator):
    episodes = episodes_of(generator, 10, 100, 8.0)
    found = calibrate(episodes, good, "cost", 0.05)
    assert found.others_over == found.others
    assert found.text().endswith(f"{found.others}/{found.others} others")


def test_fewer_false_rejections_mean_a_wider_limit(generator):
    episodes = episodes_of(generator, 10, 100, 1.0)
    limits = [calibrate(episodes, good, "cost", share).limit for share in (0.3, 0.1, 0.02)]
    assert limits == sorted(limits) and limits[0] < limits[-1]


def test_too_few_candidates_give_no_limit(generator):
    found = calibrate(episodes_of(generator, 2, 20, 1.0), good, "cost", 0.02)
    assert math.isnan(found.limit) and found.text() == "too few"


def test_what_is_no_number_is_over_every_limit(generator):
    episodes = episodes_of(generator, 2, 100, 0.0)
    broken = [TriedCandidate(0, 0, False, "", {"cost": np.nan}) for _ in range(7)]
    before = calibrate(episodes, good, "cost", 0.1)
    after = calibrate([episodes[0], episodes[1] + broken], good, "cost", 0.1)
    assert after.limit == before.limit
    assert after.others_over == before.others_over + 7


def test_only_what_filters_measure_has_a_limit():
    names = ["score value", "kinematic SEAM", "path length", "cycle CYCLE_INCONSISTENT"]
    assert measured_by_filters(names) == ["kinematic SEAM", "cycle CYCLE_INCONSISTENT"]

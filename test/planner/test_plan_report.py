"""What a person is told where nothing was accepted."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.planner.plan_report import NO_SCORE, nearest_miss, rejection_reasons
from wm_planner.types import RejectionReason, Verdicts

SPEED, REACH = RejectionReason.JOINT_VELOCITY, RejectionReason.WORKSPACE


def verdicts(reason: RejectionReason, *measured: float, limit: float = 1.0) -> Verdicts:
    count = len(measured)
    where = tuple(f"joint {k}" for k in range(count))
    step = np.where(np.array(measured) <= limit, -1, 4)
    return Verdicts("test", reason, np.array(measured), limit, "rad/s", where, step)


def told(*judged: Verdicts) -> str:
    reasons = rejection_reasons(judged, np.zeros(len(judged[0].measured)))
    return nearest_miss(judged, reasons)


def test_that_the_least_over_the_commonest_limit_is_told_in_its_own_sentence():
    speed = verdicts(SPEED, 3.0, 1.2, 0.5, 2.0)
    assert told(speed, verdicts(REACH, 9.0, 9.0, 1.1, 9.0)) == speed.sentence(1)


@pytest.mark.parametrize("seed", range(5))
def test_that_it_never_tells_of_one_that_the_limit_accepts(seed):
    generator = np.random.default_rng(seed)
    judged = tuple(verdicts(reason, *generator.uniform(0, 2, 6)) for reason in (REACH, SPEED))
    assert "is over" in told(*judged)


def test_that_one_reason_with_two_measures_tells_the_one_that_objects():
    turn = verdicts(REACH, 0.2, 7.0)
    assert told(verdicts(REACH, 0.1, 0.1), turn) == turn.sentence(1)


def test_that_what_is_no_number_is_the_furthest_and_told_where_there_is_nothing_else():
    some = verdicts(SPEED, np.nan, 5.0)
    assert told(some) == some.sentence(1)
    none = verdicts(SPEED, np.nan, np.nan)
    assert told(none) == none.sentence(0)


def test_that_nothing_is_told_where_no_filter_objects():
    assert nearest_miss((verdicts(SPEED, 0.1, 0.1),), ("", NO_SCORE)) == ""

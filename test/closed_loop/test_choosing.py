"""Figures of what choosing is worth: pairing narrows them, and nothing is divided by nothing."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.closed_loop.choosing import captured_share, estimate, paired_difference


def test_that_pairing_narrows_the_interval_where_episodes_agree():
    generator = np.random.default_rng(0)
    easy = generator.random(200) < 0.5
    better = easy | (generator.random(200) < 0.1)
    paired = paired_difference(better, easy)
    shuffled = paired_difference(better, generator.permutation(easy))
    assert paired.value == pytest.approx(shuffled.value)
    assert paired.low > 0
    assert paired.high - paired.low < 0.5 * (shuffled.high - shuffled.low)


def test_that_turning_the_pair_turns_the_interval():
    generator = np.random.default_rng(1)
    one, other = generator.random(50) < 0.7, generator.random(50) < 0.5
    there, back = paired_difference(one, other), paired_difference(other, one)
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=0.03)


def test_that_an_interval_holds_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(2)
    hits = 0
    for trial in range(60):
        sample = generator.normal(1.0, 2.0, 60)
        found = estimate(lambda chosen, sample=sample: sample[chosen].mean(), 60, seed=trial)
        hits += found.low < 1.0 < found.high
    assert 52 <= hits <= 60


@pytest.mark.parametrize(("best", "share"), [(0.2, 0.0), (0.5, 0.5), (0.8, 1.0)])
def test_that_the_share_runs_from_chance_to_oracle(best, share):
    wins = np.arange(10)
    found = captured_share(wins < 10 * best, wins < 2, wins < 8)
    assert found.value == pytest.approx(share)


def test_that_without_a_gain_there_is_no_share():
    same = np.ones(10, bool)
    assert np.isnan(captured_share(same, same, same).value)
    assert captured_share(same, same, same).text() == "-"


def test_that_no_episodes_give_no_figure():
    assert np.isnan(paired_difference(np.zeros(0), np.zeros(0)).value)

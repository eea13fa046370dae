"""Errors with known distributions: coverage must be what was stated, or tell how it is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from wm_planner.open_loop.calibration import LEVELS, coverage, miscalibration
from wm_planner.open_loop.spread import spread_and_error

COUNT = 40_000


def test_honest_gaussians_are_covered_as_stated(generator):
    variance = generator.uniform(0.1, 5.0, (COUNT // 4, 4))
    covered = coverage(generator.normal(0, np.sqrt(variance)), variance)
    np.testing.assert_allclose(covered, LEVELS, atol=0.01)
    assert miscalibration(covered) < 0.01


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_stating_half_or_twice_the_deviation_is_seen(generator, factor):
    error = generator.normal(size=COUNT)
    covered = coverage(error, np.full(COUNT, factor**2))
    expected = 2 * norm.cdf(factor * norm.ppf((1 + LEVELS) / 2)) - 1
    np.testing.assert_allclose(covered, expected, atol=0.01)
    assert (covered > LEVELS).all() if factor > 1 else (covered < LEVELS).all()


def test_coverage_rises_and_does_not_depend_on_the_unit(generator):
    error, variance = generator.normal(size=500), generator.uniform(0.5, 2, 500)
    covered = coverage(error, variance)
    assert (np.diff(covered) >= 0).all()
    np.testing.assert_array_equal(coverage(1e3 * error, 1e6 * variance), covered)


def test_never_wrong_is_always_covered():
    np.testing.assert_array_equal(coverage(np.zeros(5), np.ones(5)), 1.0)


@pytest.mark.parametrize("draws", [2, 8])
def test_an_ensemble_that_the_truth_could_be_part_of_has_equal_spread_and_error(generator, draws):
    centre = generator.normal(size=(4000, 1, 5))
    spread, error = spread_and_error(
        centre + generator.normal(0, 0.3, (4000, draws, 5)),
        centre[:, 0] + generator.normal(0, 0.3, (4000, 5)),
    )
    assert spread / error == pytest.approx(1.0, abs=0.02)
    assert error == pytest.approx(0.3 * np.sqrt(1 + 1 / draws), rel=0.02)


def test_one_dream_repeated_has_no_spread(generator):
    samples = np.repeat(generator.normal(size=(10, 1, 3)), 4, axis=1)
    spread, error = spread_and_error(samples, samples[:, 0] + 0.1)
    assert spread == pytest.approx(0.0, abs=1e-12) and error == pytest.approx(0.1)

"""What choosing is worth: paired differences of success, and how much of an oracle's gain is got.

All intervals are 95% percentile bootstraps over episodes (Efron and Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 2, scale: float = 1.0) -> str:
        """For tables."""
        if not np.isfinite(self.value):
            return "-"
        value, low, high = (f"{scale * x:.{digits}f}" for x in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


def estimate(
    statistic: Callable[[np.ndarray], float],
    count: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Return a statistic of episodes with its interval.

    Args:
        statistic: takes numbers of episodes, shape (n,), with repetitions; NaN where undefined.
        count: episodes there are.
        seed: of the resampling.
        resamples: how often.
    """
    everyone, generator = np.arange(count), np.random.default_rng(seed)
    value = float(statistic(everyone)) if count else np.nan
    drawn = np.array([statistic(generator.choice(everyone, count)) for _ in range(resamples)]
                     if count > 1 else [np.nan])  # fmt: skip
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return Estimate(value, float(low), float(high))


def paired_difference(one: np.ndarray, other: np.ndarray) -> Estimate:
    """Return by how much the mean of one is above that of the other, episodes paired by seed."""
    difference = np.asarray(one, float) - np.asarray(other, float)
    return estimate(lambda chosen: float(difference[chosen].mean()), len(difference))


def captured_share(best: np.ndarray, random: np.ndarray, oracle: np.ndarray) -> Estimate:
    """Return (best - random) / (oracle - random) of means; NaN where an oracle gains nothing.

    Args:
        best: success of the planner's own choice, one entry an episode.
        random: of a random choice, on the same seeds.
        oracle: of an oracle's choice, on the same seeds.
    """
    columns = np.array([best, random, oracle], float)

    def share(chosen: np.ndarray) -> float:
        ours, chance, most = columns[:, chosen].mean(axis=1)
        return float((ours - chance) / (most - chance)) if most > chance else np.nan

    return estimate(share, columns.shape[1])

"""Whether dreams differ from each other as much as the future differs from them."""

from __future__ import annotations

import numpy as np


def spread_and_error(samples: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the spread of an ensemble and the error of its mean, both root mean squares.

    An ensemble from which the truth could be one more draw has a ratio of 1 (Fortin et al. 2014,
    "Why should ensemble spread match the RMSE of the ensemble mean?", equations 4 and 15).

    Args:
        samples: shape (B, K, ...), K at least 2.
        truth: shape (B, ...).
    """
    count = samples.shape[1]
    mean = samples.mean(axis=1)
    variance = samples.var(axis=1, ddof=1).mean() * (count + 1) / count
    return float(np.sqrt(variance)), float(np.sqrt(np.square(mean - truth).mean()))

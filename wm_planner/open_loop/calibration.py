"""Whether the model is as sure as it should be: coverage of the intervals that it states."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

LEVELS = np.linspace(0.05, 0.95, 19)


def coverage(error: np.ndarray, variance: np.ndarray, levels: np.ndarray = LEVELS) -> np.ndarray:
    """Return the share of errors within the central interval of each nominal probability.

    A calibrated Gaussian gives back the levels (Kuleshov et al. 2018, "Accurate uncertainties for
    deep learning using calibrated regression", section 3.2).

    Args:
        error: any shape, in some unit.
        variance: stated, the same shape, in the square of that unit.
        levels: nominal probabilities, shape (L,), between 0 and 1.

    Returns:
        Shape (L,).
    """
    ratio = np.abs(error).ravel() / np.sqrt(variance).ravel()
    widest = norm.ppf((1 + levels) / 2)
    return (ratio[:, None] <= widest).mean(axis=0)


def miscalibration(covered: np.ndarray, levels: np.ndarray = LEVELS) -> float:
    """Return the mean distance of a coverage curve from the ideal, 0 to 0.5."""
    return float(np.abs(covered - levels).mean())

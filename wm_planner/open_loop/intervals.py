"""Intervals of means over few recordings or bags."""

from __future__ import annotations

import numpy as np
from scipy.stats import bootstrap

CONFIDENCE = 0.95


def mean_interval(values: np.ndarray, seed: int) -> list[float] | None:
    """Return the percentile bootstrap interval of a mean, for values (N,); None for one value."""
    if len(values) < 2:
        return None
    found = bootstrap(
        (values,),
        np.mean,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return [float(found.low), float(found.high)]

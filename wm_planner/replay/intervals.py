"""Intervals of means over bags."""

from __future__ import annotations

import numpy as np
from scipy.stats import bootstrap

CONFIDENCE = 0.95


def mean_interval(values: np.ndarray, seed: int) -> list[float] | None:
    """Return the percentile bootstrap interval of a mean over bags, shape (N,); None for one."""
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

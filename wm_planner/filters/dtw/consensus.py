"""How far each of K trajectories is from what the others agree on, from their distances (K, K).

What cannot be compared, NaN, stays NaN and leaves the others alone. Where there is no other to
compare with nothing disagrees, and the distance is 0.
"""

from __future__ import annotations

import numpy as np


def to_nearest(apart: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean distance (K,) to the `count` nearest others, and the nearest's index (K,)."""
    others, broken = _others(apart)
    partner = others.argmin(axis=1)
    near = np.sort(others, axis=1)[:, :count]
    comparable = np.isfinite(near)
    total = np.where(comparable, near, 0.0).sum(axis=1)
    mean = total / np.maximum(comparable.sum(axis=1), 1)
    return np.where(broken, np.nan, mean), partner


def to_medoid(apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance (K,) to the medoid, and its index (K,).

    The medoid has the smallest sum of distances to all others. Of several, such as always of two,
    the nearest counts.
    """
    others, broken = _others(apart)
    total = np.where(np.isfinite(others), others, 0.0).sum(axis=1)
    total[broken] = np.inf
    medoid = (
        total <= total.min() + 1e-12 if np.isfinite(total).any() else np.zeros(len(total), bool)
    )
    to = np.where(medoid[None, :], apart, np.inf)
    partner = to.argmin(axis=1)
    distance = np.where(medoid, 0.0, to.min(axis=1))
    partner = np.where(medoid, np.arange(len(apart)), partner)
    return np.where(broken, np.nan, distance), partner


def _others(apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distances with inf for oneself and for what is broken, and who is broken (K,)."""
    broken = np.isnan(np.diagonal(apart))
    others = np.where(np.isnan(apart), np.inf, apart)
    np.fill_diagonal(others, np.inf)
    return others, broken

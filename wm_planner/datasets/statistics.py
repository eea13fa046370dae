"""Statistics of columns as LeRobot keeps them: per episode, and aggregated over the dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

Statistics = dict[str, np.ndarray]
"""min, max, mean, std, count and the `QUANTILES`, each (size,) but count, which is (1,)."""


def column_statistics(values: np.ndarray) -> Statistics:
    """Statistics over the rows of (N, ...) values."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    result = {
        "min": rows.min(0),
        "max": rows.max(0),
        "mean": rows.mean(0),
        "std": rows.std(0),
        "count": np.array([len(rows)]),
    }
    quantiles = np.quantile(rows, list(QUANTILES.values()), axis=0)
    return {**result, **dict(zip(QUANTILES, quantiles, strict=True))}


def image_statistics(frames: np.ndarray) -> Statistics:
    """Per-channel statistics of (N, h, w, 3) uint8 frames in [0, 1], each (3, 1, 1).

    Every second row and column of at most ten frames: they barely move and cost time.
    """
    step = max(1, len(frames) // 10)
    pixels = frames[::step, ::2, ::2].reshape(-1, 3) / 255.0
    result = {
        key: value.reshape(3, 1, 1)
        for key, value in column_statistics(pixels).items()
        if key != "count"
    }
    return {**result, "count": np.array([len(frames[::step])])}


def aggregate(parts: Sequence[Statistics]) -> Statistics:
    """Statistics of the union; quantiles as count-weighted means, as lerobot aggregates them."""
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)

    def weighted(key: str) -> np.ndarray:
        stacked = np.stack([part[key] for part in parts])
        return np.tensordot(counts / counts.sum(), stacked, axes=1)

    mean = weighted("mean")
    # Law of total variance: within the parts, plus of the parts' means.
    spread = [part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts]
    variance = np.tensordot(counts / counts.sum(), np.stack(spread), axes=1)
    return {
        "min": np.stack([part["min"] for part in parts]).min(0),
        "max": np.stack([part["max"] for part in parts]).max(0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([int(counts.sum())]),
        **{key: weighted(key) for key in QUANTILES},
    }

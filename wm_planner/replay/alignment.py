"""Dynamic time warping of two short paths (Sakoe and Chiba 1978, symmetric steps of weight 1).

tslearn gives the same but spends many seconds compiling in every new process, and paths here have
a dozen points; a test compares the two.
"""

from __future__ import annotations

import numpy as np


def align(one: np.ndarray, other: np.ndarray) -> tuple[list[tuple[int, int]], float]:
    """Return the best alignment and the root mean square distance of its pairs.

    Both ends are aligned with each other, and neither path ever goes back. Best is the alignment
    with the least sum of squared distances.

    Args:
        one: shape (N, C), at least one point.
        other: shape (M, C), likewise.
    """
    squared = np.sum((one[:, None] - other[None]) ** 2, axis=2)
    total = np.full((len(one) + 1, len(other) + 1), np.inf)
    total[0, 0] = 0.0
    for i, row in enumerate(squared, start=1):
        for j, cost in enumerate(row, start=1):
            total[i, j] = cost + min(total[i - 1, j - 1], total[i - 1, j], total[i, j - 1])
    i, j = squared.shape
    pairs = []
    while i and j:
        pairs.append((i - 1, j - 1))
        before = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(before, key=lambda place: float(total[place]))
    return pairs[::-1], float(np.sqrt(total[-1, -1] / len(pairs)))

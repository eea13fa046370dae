"""Which steps of two trajectories belong together: the alignment behind one distance, by tslearn.

Distances of many pairs come from `hand_distance`, in one go; this tells of a single pair where it
parts, which is only asked when a candidate is rejected.
"""

from __future__ import annotations

import numpy as np
from tslearn.metrics import dtw_path_from_metric


def alignment(costs: np.ndarray, band: int) -> tuple[np.ndarray, float]:
    """Return the best alignment as pairs of steps, shape (L, 2), and its summed cost.

    Args:
        costs: shape (H, G), finite and not negative.
        band: as in `aligned_cost`.
    """
    path, total = dtw_path_from_metric(
        costs, metric="precomputed", global_constraint="sakoe_chiba", sakoe_chiba_radius=band
    )
    return np.array(path), float(total)


def first_step_apart(costs: np.ndarray, band: int, limit: float) -> int:
    """Return the first step of the first trajectory that is further than `limit` from its partner.

    The furthest one where none is, and the first one that cannot be compared where there is one.

    Args:
        costs: squared distances, shape (H, G), m^2.
        band: as in `aligned_cost`.
        limit: m.
    """
    broken = np.isnan(costs).any(axis=1)
    if broken.any():
        return int(broken.argmax())
    path, _ = alignment(costs, band)
    apart = np.sqrt(costs[path[:, 0], path[:, 1]])
    over = apart > limit
    return int(path[over.argmax() if over.any() else apart.argmax(), 0])

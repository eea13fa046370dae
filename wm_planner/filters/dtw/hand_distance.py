"""How far apart two hand trajectories are, by dynamic time warping.

Position, rotation and width count together: weights turn each into metres. The squared distance of
two hands at two steps is (w_p |dp|)^2 + (w_r angle)^2 + (w_w dw)^2, that of two trajectories the
mean along their best alignment (Sakoe and Chiba 1978, "Dynamic programming algorithm optimization
for spoken word recognition"), which may shift steps by at most `band`. So a distance is a root mean
square in m. Hands are aligned apart; the distance of a pair of trajectories is its worse hand's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.types import HandPoses


@dataclass(frozen=True)
class Weights:
    """What a difference counts.

    Attributes:
        position: m per m.
        rotation: m per rad: the lever at which a turn counts.
        width: m per m of gripper opening.
    """

    position: float = 1.0
    rotation: float = 0.1
    width: float = 1.0


def step_costs(one: HandPoses, other: HandPoses, weights: Weights) -> np.ndarray:
    """Return squared distances of all steps to each other, shape (..., 2, H, G), m^2.

    Args:
        one: leading axes (..., H).
        other: leading axes (..., G); axes before broadcast, so `one[:, None]` pairs each with all.
        weights: of the parts.
    """
    first, second = (np.swapaxes(poses.width, -1, -2) for poses in (one, other))  # (..., 2, H)
    cost = (weights.width * (first[..., :, None] - second[..., None, :])) ** 2
    for axis in range(3):
        first, second = (np.swapaxes(poses.position[..., axis], -1, -2) for poses in (one, other))
        cost += (weights.position * (first[..., :, None] - second[..., None, :])) ** 2
    turned, other_turned = (
        np.moveaxis(poses.rotation.reshape(*poses.lead, 2, 9), -2, -3) for poses in (one, other)
    )  # (..., 2, H, 9)
    trace = turned @ np.swapaxes(other_turned, -1, -2)
    cost += (weights.rotation * np.arccos(np.clip(0.5 * (trace - 1.0), -1.0, 1.0))) ** 2
    return cost


def aligned_cost(costs: np.ndarray, band: int) -> np.ndarray:
    """Return the smallest sum of costs along an alignment, for many pairs at once.

    An alignment goes from the first steps of both to the last of both, forward by one in either or
    in both. NaN among costs within the band gives NaN, inf means that the band allows none.

    Args:
        costs: shape (..., H, G), not negative.
        band: steps may be paired that are at most so many apart, Sakoe and Chiba's window.
    """
    *lead, rows, columns = costs.shape
    steps = np.ascontiguousarray(np.moveaxis(costs, (-2, -1), (0, 1)))  # (H, G, ...)
    above = np.full((columns + 1, *lead), np.inf)
    above[0] = 0.0
    for i in range(rows):
        row = np.full((columns + 1, *lead), np.inf)
        for j in range(max(0, i - band), min(columns, i + band + 1)):
            best = np.minimum(np.minimum(above[j], above[j + 1]), row[j])
            row[j + 1] = steps[i, j] + best
        above = row
    inside = np.abs(np.subtract.outer(np.arange(rows), np.arange(columns))) <= band
    broken = np.isnan(steps[inside]).any(axis=0)
    return np.where(broken, np.nan, above[-1])


def distances(one: HandPoses, other: HandPoses, weights: Weights, band: int) -> np.ndarray:
    """Return the distance of each hand, shape (..., 2), m; arguments as in `step_costs`."""
    total = aligned_cost(step_costs(one, other, weights), band)
    return np.sqrt(total / max(one.lead[-1], other.lead[-1]))

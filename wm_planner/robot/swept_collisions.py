"""How near links come to each other on the whole way between postures, not only at its ends.

Joints that move by |dq| bring a pair of links nearer by at most m = sum_j reach_j |dq_j|. So on a
straight way in joint space between postures with distances a and b, the pair stays (a + b - m) / 2
apart. Where that is too little the way is halved and the middle measured, until m is below 10 mm
and half of the thinner link's thickness: nothing passes through anything unseen. This is
conservative advancement (Mirtich 1996, "Impulse-based dynamic simulation of rigid body systems",
section 2.3), by bisection.
"""

from __future__ import annotations

import numpy as np

from wm_planner.robot.link_pairs import LinkPairs

FINEST = 0.01  # m of motion that is not looked into: at most half as much nearer than was seen
DEEPEST = 12  # halvings: 2 m of motion become 0.5 mm


def nearest_on_the_way(
    links: LinkPairs, start: np.ndarray, end: np.ndarray, clearance: float
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the smallest distance seen on each of S ways, m, and the names of its pair.

    All ways that are nearer than `clearance` somewhere are found, but for less than half of
    `FINEST`. A way that is known to be too near is not looked into
    further.

    Args:
        links: what may touch.
        start: postures, shape (S, J), rad or m.
        end: postures, shape (S, J).
        clearance: distance that is enough, m.

    Returns:
        Distances (S,), NaN where an end is not finite and inf where there are no pairs; S names.
    """
    if not links.names:
        return links.nearest(np.where(np.isfinite(start), end, np.nan))
    ends, where = np.unique(np.concatenate([start, end]), axis=0, return_inverse=True)
    before, after = links.distances(ends)[where.reshape(2, -1)]  # (S, P)
    nearest = np.minimum(before, after)
    pair = np.where(np.isnan(nearest).any(axis=1), -1, nearest.argmin(axis=1))
    nearest = nearest.min(axis=1)
    motion = np.abs(end - start) @ links.reach.T  # (S, P)
    rows, pairs = np.nonzero(before + after - motion < 2.0 * clearance)
    a, b, low, high = (
        before[rows, pairs],
        after[rows, pairs],
        np.zeros(len(rows)),
        np.ones(len(rows)),
    )
    for _ in range(DEEPEST):
        moved = motion[rows, pairs] * (high - low)
        unsure = (a + b - moved < 2.0 * clearance) & (nearest[rows] >= clearance)
        unsure &= moved > np.minimum(FINEST, 0.5 * links.thickness[pairs])
        rows, pairs, a, b = rows[unsure], pairs[unsure], a[unsure], b[unsure]
        low, high = low[unsure], high[unsure]
        if len(rows) == 0:
            break
        middle = 0.5 * (low + high)
        spots, spot = np.unique(np.stack([rows, middle], axis=1), axis=0, return_inverse=True)
        way = spots[:, 0].astype(int)
        postures = start[way] + spots[:, 1:] * (end[way] - start[way])
        between = links.distances_of(postures, spot.reshape(-1), pairs)
        order = np.argsort(-between, kind="stable")  # the nearest of a way is written last
        closer = order[between[order] < nearest[rows[order]]]
        nearest[rows[closer]], pair[rows[closer]] = between[closer], pairs[closer]
        rows, pairs = np.tile(rows, 2), np.tile(pairs, 2)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        a, b = np.concatenate([a, between]), np.concatenate([between, b])
    return nearest, links.label(pair)

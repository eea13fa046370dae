"""First-order error propagation from absolute targets to a chain of relative actions."""

from __future__ import annotations

import numpy as np

from wm_planner import actions
from wm_planner.inverse_dynamics.anchoring import anchored_variance
from wm_planner.types import HandPoses


def chain_variance(
    start: HandPoses,
    targets: HandPoses,
    variance: np.ndarray,
    correlation: np.ndarray | None = None,
    anchor: float = 0.0,
    anchor_width: float = 0.0,
) -> np.ndarray:
    """Return variances of `actions.difference(start, targets)`.

    The start is taken as exact.

    Args:
        start: no leading axes.
        targets: leading axes (K, H).
        variance: of the packed targets, shape (K, H, 20).
        correlation: of each target's error with that of the one before, shape (20,) or
            (K, H, 20), below 1: errors that two targets share cancel in the step between them.
            None for independent ones.
        anchor: share of the observed frame's error that was taken off all targets' positions and
            rotations. Steps between them are what they were; the first step is not.
        anchor_width: the same of widths, of which none is what it was.

    Returns:
        Shape (K, H, 20).
    """
    hands = variance.reshape(*variance.shape[:-1], 2, actions.HAND_SIZE)
    shared = np.zeros_like(hands)
    if correlation is not None:
        shared[:] = np.broadcast_to(correlation, variance.shape).reshape(hands.shape)
    before = np.concatenate([np.zeros_like(hands[:, :1]), hands[:, :-1]], axis=1)
    if anchor or anchor_width:
        first = anchored_variance(hands[:, :1], shared[:, :1], anchor)
        width = hands[..., actions.WIDTH], shared[..., actions.WIDTH]
        hands = np.concatenate([first, hands[:, 1:]], axis=1)
        hands[..., actions.WIDTH] = anchored_variance(*width, anchor_width)
    result = np.empty_like(hands)
    result[..., actions.POSITION] = hands[..., actions.POSITION] + before[..., actions.POSITION]
    result[..., actions.WIDTH] = hands[..., actions.WIDTH]

    begun = np.broadcast_to(start.rotation, (len(variance), 1, *start.rotation.shape))
    previous = np.concatenate([begun, targets.rotation[:, :-1]], axis=1)  # (K, H, 2, 3, 3)
    columns_before = _column_variance(before)
    columns_now = _column_variance(hands)[..., :2]
    # Entry (j, c) of R_before^T R_now is sum_i R_before[i, j] R_now[i, c].
    rotation = np.einsum("...ij,...ic->...jc", previous**2, columns_now)
    rotation += np.einsum("...ij,...ic->...jc", columns_before, targets.rotation[..., :2] ** 2)
    columns = np.swapaxes(rotation, -1, -2)
    result[..., actions.ROTATION] = columns.reshape(*columns.shape[:-2], 6)
    shared[..., actions.WIDTH] = 0  # absolute: no difference
    result[:, 1:] *= 1 - shared[:, 1:]
    return result.reshape(variance.shape)


def _column_variance(hands: np.ndarray) -> np.ndarray:
    """Return variances of all nine entries of the rotations, shape (..., 3, 3).

    The third column is the product of the other two, so its errors are about as large as theirs.
    """
    two = np.swapaxes(hands[..., actions.ROTATION].reshape(*hands.shape[:-1], 2, 3), -1, -2)
    return np.concatenate([two, two.mean(axis=-1, keepdims=True)], axis=-1)

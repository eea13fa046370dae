"""Take off targets what the hands are misread by on the one frame where that is known.

In a scene that it has not learned from, a model misreads hands by much the same amount on every
frame. On the newest observed frame the hands are measured too, so there the amount is known.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from wm_planner.types import HandPoses


def anchor_targets(
    targets: HandPoses, read: HandPoses, measured: HandPoses, share: float, width_share: float
) -> HandPoses:
    """Move all targets of a dream by a share of what its observed frame is misread by.

    Args:
        targets: leading axes (K, H).
        read: what is read off the observed frame in front of each dream, leading axes (K,).
        measured: where the hands really were, no leading axes.
        share: of positions and rotations; 0 leaves the targets as they are, 1 makes a misreading
            that never changes cancel.
        width_share: the same of widths.

    Returns:
        Positions and widths shifted, rotations turned in the base frame along the shortest way.
    """
    turn = measured.rotation @ np.swapaxes(read.rotation, -1, -2)  # (K, 2, 3, 3)
    return HandPoses(
        targets.position + share * (measured.position - read.position)[:, None],
        _part_of(turn, share)[:, None] @ targets.rotation,
        targets.width + width_share * (measured.width - read.width)[:, None],
    )


def anchored_variance(variance: np.ndarray, correlation: np.ndarray, share: float) -> np.ndarray:
    """Return the variance of targets that were moved by a share of an error like their own.

    The error at the observed frame is taken to be as large as a target's own, and to be shared
    with it as neighbouring targets share theirs. Anchored fully, a target is as uncertain as the
    step between two of them.

    Args:
        variance: of targets as they were read, any shape.
        correlation: of their errors with those of the frame before, the same shape.
        share: as in `anchor_targets`.
    """
    kept: np.ndarray = variance * (1 + share**2 - 2 * share * correlation)
    return kept


def _part_of(turn: np.ndarray, share: float) -> np.ndarray:
    """Return a share of rotations (..., 3, 3), about the same axes; NaN stays NaN."""
    flat = turn.reshape(-1, 3, 3)
    part = np.full_like(flat, np.nan)
    known = np.isfinite(flat).all(axis=(1, 2))
    if known.any():
        angle = share * Rotation.from_matrix(flat[known]).as_rotvec()
        part[known] = Rotation.from_rotvec(angle).as_matrix()
    return part.reshape(turn.shape)

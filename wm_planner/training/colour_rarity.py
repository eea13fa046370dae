"""How rare colours are in a data set, so that a small red cube weighs as much as a brown table."""

from __future__ import annotations

import numpy as np

from wm_planner.training.source import EpisodeSource

BINS = 512  # 8 levels of red, green and blue


def colour_bin(image: np.ndarray) -> np.ndarray:
    """Number the colours of images (..., h, w, 3) uint8, shape (..., h, w), below `BINS`."""
    q = (image >> 5).astype(np.int32)
    bins: np.ndarray = (q[..., 0] << 6) | (q[..., 1] << 3) | q[..., 2]
    return bins


def colour_rarity(source: EpisodeSource) -> np.ndarray:
    """Weight per colour bin, shape (512,): (mean share / share) ** 0.5, within 0.3 and 12."""
    step = max(1, len(source.frames) // 1500)
    bins = colour_bin(source.frames[::step]).ravel()
    share = np.bincount(bins, minlength=BINS).astype(np.float64) / len(bins)
    typical = (share * share).sum()  # share of the colour that an average pixel has
    return np.clip(np.sqrt(typical / np.maximum(share, 1e-6)), 0.3, 12).astype(np.float32)

"""Dense optical flow between frames, at low resolution: where the picture moved, and how far."""

from __future__ import annotations

import numpy as np

BLOCK = 8  # px; flow is averaged over squares of this size
SCALE = 4.0  # px that count as 1: about what a hand moves in a step


def flow_size(height: int, width: int) -> int:
    """Return how many numbers `flow_from_before` says about a frame."""
    return 2 * (height // BLOCK) * (width // BLOCK)


def flow_from_before(frames: np.ndarray) -> np.ndarray:
    """Return how each frame's picture moved since the frame before it.

    Dense inverse search (Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search"), as
    OpenCV has it.

    Args:
        frames: shape (K, F, h, w, 3), uint8, h and w multiples of `BLOCK`.

    Returns:
        Shape (K, F, flow_size), float32, in `SCALE` px a step; 0 for the first frames, which have
        none before them.
    """
    import cv2  # heavy, and only for models that look at it

    # Its type hints leave this one out.
    search = vars(cv2)["DISOpticalFlow_create"](cv2.DISOPTICAL_FLOW_PRESET_FAST)
    count, length, height, width = frames.shape[:4]
    rows, columns = height // BLOCK, width // BLOCK
    flow = np.zeros((count, length, rows, columns, 2), np.float32)
    for k in range(count):
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames[k]]
        for f in range(1, length):
            if np.array_equal(grey[f - 1], grey[f]):
                continue
            dense = search.calc(grey[f - 1], grey[f], None)
            flow[k, f] = dense.reshape(rows, BLOCK, columns, BLOCK, 2).mean(axis=(1, 3))
    return flow.reshape(count, length, -1) / np.float32(SCALE)

"""Camera images brought to the size that a model was trained on."""

from __future__ import annotations

import numpy as np

from wm_planner.errors import ShapeError


def fit(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize images by area averaging, as the training frames were made.

    Args:
        images: Shape (..., h, w, 3), uint8.
        height, width: wanted size in pixels; the aspect ratio must stay within 2%.

    Returns:
        Shape (..., height, width, 3), uint8; the input itself where the size is right already.

    Raises:
        ShapeError: not colour images, or another aspect ratio: stretching would move every hand.
    """
    if images.ndim < 3 or images.shape[-1] != 3:
        raise ShapeError(f"image: got shape {images.shape}, expected (..., height, width, 3)")
    h, w = images.shape[-3:-1]
    if (h, w) == (height, width):
        return images
    if abs(w * height - h * width) > 0.02 * w * height:
        raise ShapeError(
            f"image: got {h}x{w}, expected the aspect ratio of {height}x{width}; "
            "crop the camera's image or choose a model trained for this camera"
        )
    import cv2  # only where a resize is really needed: importing the package must stay light

    flat = images.reshape(-1, h, w, 3)
    method = cv2.INTER_AREA if height <= h else cv2.INTER_LINEAR
    resized = np.stack([cv2.resize(image, (width, height), interpolation=method) for image in flat])
    return resized.reshape(*images.shape[:-3], height, width, 3)

"""How alike two pictures are: PSNR, SSIM, and which pixels move."""

from __future__ import annotations

import numpy as np

MOVED = 20  # of 255: more than noise and compression, less than any object against the table
LEAST_SQUARED_ERROR = 1e-2  # of 255 squared: equal pictures get 68 dB and not infinity


def squared_error(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return squared differences averaged over colours, shape (..., h, w), for uint8 images."""
    difference = images.astype(np.int16) - truth
    return np.square(difference, dtype=np.float32).mean(axis=-1)


def psnr(error: np.ndarray) -> np.ndarray:
    """Turn mean squared errors (of 255 squared) into dB, the same shape."""
    return 10.0 * np.log10(255.0**2 / np.maximum(error, LEAST_SQUARED_ERROR))


def image_psnr(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return each image's PSNR, shape (...), dB, for uint8 images (..., h, w, 3)."""
    return psnr(squared_error(images, truth).mean(axis=(-2, -1)))


def moving(truth: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return which pixels differ visibly from an earlier frame, shape (..., h, w), bool.

    Args:
        truth: uint8 images (..., h, w, 3).
        before: the same, earlier; leading axes broadcast.
    """
    difference = np.abs(truth.astype(np.int16) - before.astype(np.int16))
    return difference.max(axis=-1) > MOVED


def ssim_maps(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the structural similarity around each pixel, shape (..., h, w), at most 1.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
    equation 13, with its 11-pixel Gaussian window of deviation 1.5; averaged over colours.

    Args:
        images: uint8 (..., h, w, 3), at least 11 pixels on each side.
        truth: the same shape.
    """
    from skimage.metrics import structural_similarity

    flat = (values.reshape(-1, *values.shape[-3:]) for values in (images, truth))
    maps = [
        structural_similarity(
            image, true, data_range=255, channel_axis=-1, full=True, gaussian_weights=True,
            sigma=1.5, use_sample_covariance=False,
        )[1].mean(axis=-1, dtype=np.float64)
        for image, true in zip(*flat, strict=True)
    ]  # fmt: skip
    return np.asarray(maps, np.float32).reshape(images.shape[:-1])

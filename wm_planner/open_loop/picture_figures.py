"""How well dreams and reconstructions look like what came: PSNR, SSIM, perceptual distance.

Each by frame, over whole pictures and over the pixels that move: most of a picture is a table that
stays, and copying it is no merit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from wm_planner.open_loop.figures import HIGHER, LOWER, Figure
from wm_planner.open_loop.pictures import image_psnr, moving, psnr, squared_error, ssim_maps

FAMILY = "Pictures"
COPY, IDLE, OTHER, WRONG = "last frame copied", "no action, no task", "other actions", "wrong task"
RECONSTRUCTED, ACTED, FREE = "reconstruction", "actions given", "free dream"
#: The same latents decoded without the newest frame observed.
ALONE = {name: f"{name}, without the scene" for name in (RECONSTRUCTED, ACTED, FREE)}
COMPARISONS = {
    RECONSTRUCTED: (COPY,), ACTED: (COPY, IDLE, OTHER), FREE: (COPY, IDLE, WRONG),
    **dict.fromkeys(ALONE.values(), (COPY,)),
}  # fmt: skip
METRICS = {
    "PSNR": HIGHER,
    "PSNR of moving pixels": HIGHER,
    "SSIM": HIGHER,
    "SSIM of moving pixels": HIGHER,
    "shift-tolerant LPIPS": LOWER,
    "shift-tolerant LPIPS of moving pixels": LOWER,
}

PERCEPTUAL_WINDOWS, PERCEPTUAL_FRAMES = 32, 4  # a network looks at each: not at all of them
Perceptual = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Two arrays of uint8 images (N, h, w, 3) to distances (N,), 0 for equal ones."""
Curves = dict[str, dict[str, list[float]]]
"""Values by frame (H of them, NaN where not measured), by metric and kind of picture."""
Sums = dict[str, tuple[np.ndarray, np.ndarray]]
"""By metric: sums over pixels or pictures and how many they are over, both (B, H)."""


def picture_figures(
    pictures: Mapping[str, np.ndarray],
    truth: np.ndarray,
    newest: np.ndarray,
    asked: np.ndarray,
    perceptual: Perceptual | None,
    progress: Callable[[], None],
) -> tuple[list[Figure], Curves]:
    """Measure.

    Args:
        pictures: every kind of picture in `COMPARISONS`, (B, H, h, w, 3) uint8.
        truth: what came, the same shape.
        newest: the newest past frame, (B, h, w, 3); what differs from it moves.
        asked: shape (B,), windows that free dreams are measured on.
        perceptual: a perceptual distance; None leaves it out.
        progress: called after each kind of picture.
    """
    moves = moving(truth, newest[:, None])
    sums: dict[str, Sums] = {}
    for name, images in pictures.items():
        sums[name] = _pixel_sums(images, truth, moves)
        if name not in ALONE.values():  # decibels tell what the scene is worth
            sums[name] |= _similarity_sums(images, truth, moves)
            if perceptual:
                sums[name] |= _perceptual_sums(images, truth, moves, perceptual)
        progress()
    figures, curves = [], Curves()
    for metric, better in METRICS.items():
        for name, baselines in COMPARISONS.items():
            chosen = asked if name in (FREE, ALONE[FREE]) else np.ones(len(truth), bool)
            if metric not in sums[name] or not chosen.any():
                continue
            by_name = {
                other: curve(metric, sums[other][metric], chosen) for other in (name, *baselines)
            }
            mean = {other: _mean(values) for other, values in by_name.items()}
            unit = "dB" if metric.startswith("PSNR") else ""
            count = int((sums[name][metric][1][chosen] > 0).sum())
            value = mean.pop(name)
            figures.append(Figure(FAMILY, f"{metric}, {name}", unit, value, better, count, mean))
            curves.setdefault(metric, {})[name] = by_name[name].tolist()
            if name == ACTED:
                curves[metric] |= {other: by_name[other].tolist() for other in baselines}
    return figures, curves


def curve(metric: str, sums: tuple[np.ndarray, np.ndarray], chosen: np.ndarray) -> np.ndarray:
    """Average a metric over the chosen windows frame by frame, shape (H,); NaN for no pictures.

    Squared errors of moving pixels are pooled before they are turned into dB, for a picture in
    which next to nothing moves has no PSNR of its own.
    """
    total, count = (part[chosen].sum(axis=0, dtype=np.float64) for part in sums)
    mean = total / np.where(count > 0, count, np.nan)
    return psnr(mean) if metric == "PSNR of moving pixels" else mean


def _pixel_sums(images: np.ndarray, truth: np.ndarray, moves: np.ndarray) -> Sums:
    one = np.ones(images.shape[:2])
    error = squared_error(images, truth)
    return {
        "PSNR": (image_psnr(images, truth), one),
        "PSNR of moving pixels": ((error * moves).sum(axis=(-2, -1)), moves.sum(axis=(-2, -1))),
    }


def _similarity_sums(images: np.ndarray, truth: np.ndarray, moves: np.ndarray) -> Sums:
    one = np.ones(images.shape[:2])
    similar = ssim_maps(images, truth)
    return {
        "SSIM": (similar.mean(axis=(-2, -1)), one),
        "SSIM of moving pixels": ((similar * moves).sum(axis=(-2, -1)), moves.sum(axis=(-2, -1))),
    }


def _perceptual_sums(
    images: np.ndarray, truth: np.ndarray, moves: np.ndarray, perceptual: Perceptual
) -> Sums:
    windows, horizon = images.shape[:2]
    seen = np.zeros((windows, horizon))
    seen[np.ix_(range(min(windows, PERCEPTUAL_WINDOWS)), _some_frames(horizon))] = 1
    at = seen > 0
    pasted = np.where(moves[at][..., None], images[at], truth[at])  # all that rests is right
    sums = {}
    for metric, shown in zip(list(METRICS)[-2:], (images[at], pasted), strict=True):
        values = np.zeros_like(seen)
        values[at] = perceptual(shown, truth[at])
        sums[metric] = (values, seen)
    return sums


def _some_frames(horizon: int) -> list[int]:
    """Evenly spaced, the last one always among them."""
    steps = min(horizon, PERCEPTUAL_FRAMES)
    return [int(round(horizon * (k + 1) / steps)) - 1 for k in range(steps)]


def _mean(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")

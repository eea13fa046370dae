"""Denoising: from noise to a dream in a few evaluations of a network.

The network predicts the clean latents x1 from x_s = s x1 + (1 - s) noise, for a signal level s
from 0 (noise) to 1 (clean). Following the straight line from noise to its prediction is the
Euler method for rectified flow (Liu et al. 2022, "Flow Straight and Fast", equation 1).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from wm_planner.bundle import SamplerSpec


def signal_levels(spec: SamplerSpec, steps: int = 0) -> np.ndarray:
    """Return the levels at which the network is evaluated, shape (S,), the first of them 0.

    Args:
        spec: how the model wants to be sampled.
        steps: another number of evenly spaced levels; 0 for the model's own.
    """
    if steps == 0 and spec.signals:
        return np.array(spec.signals)
    count = steps or spec.steps
    return np.arange(count) / count


def denoise(
    predict_clean: Callable[[np.ndarray, float, float], np.ndarray],
    noise: np.ndarray,
    signals: np.ndarray,
) -> np.ndarray:
    """Return a sample.

    Args:
        predict_clean: the network: noisy latents, their signal level, and by how much that will
            rise on its answer, to clean latents.
        noise: starting point, any shape.
        signals: levels of evaluation, rising from 0.
    """
    latents = noise
    for now, after in itertools.pairwise(signals):
        clean = predict_clean(latents, float(now), float(after - now))
        latents = latents + (clean - latents) * np.float32((after - now) / (1.0 - now))
    return predict_clean(latents, float(signals[-1]), float(1 - signals[-1]))

"""A small network that reads one object's position from a frame's latent.

The models have no such output. The probe is fitted here, to ask what a latent knows: on frames of
other episodes, with positions from the simulator. Its error is an upper bound, and shrinks with
more frames to fit on. Where it fails beside a hand, the latent took the hand for the object.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

LEAST_FRAMES = 200
WIDTH, WEIGHT_DECAY, EPOCHS, PATIENCE = 256, 1.0, 60, 6
SCALE_M = 0.1  # positions are of this size


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted probe.

    Attributes:
        mean: average position in the frames it was fitted on, shape (3,), m: what can be said
            without a picture.
        frames: how many those were.
    """

    mean: np.ndarray
    frames: int
    _input_scale: np.ndarray
    _network: Any

    def read(self, inputs: np.ndarray) -> np.ndarray:
        """Return positions (..., 3), m, for inputs (..., D)."""
        flat = inputs.reshape(-1, inputs.shape[-1]) / self._input_scale
        return self._network.predict(flat).reshape(*inputs.shape[:-1], 3) * SCALE_M + self.mean


def fit_probe(inputs: np.ndarray, positions: np.ndarray, seed: int) -> Probe | None:
    """Fit a probe, or return None where there are too few frames.

    Args:
        inputs: shape (N, D): flat latents, or packed hand poses for a baseline.
        positions: shape (N, 3), m.
        seed: of its first weights and of what it holds back to know when to stop.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    if len(inputs) < LEAST_FRAMES:
        return None
    network = MLPRegressor(
        hidden_layer_sizes=(WIDTH, WIDTH), alpha=WEIGHT_DECAY, max_iter=EPOCHS,
        early_stopping=True, n_iter_no_change=PATIENCE, random_state=seed,
    )  # fmt: skip
    mean, scale = positions.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # EPOCHS is meant as a limit
        network.fit(inputs / scale, (positions - mean) / SCALE_M)
    return Probe(mean=mean, frames=len(inputs), _input_scale=scale, _network=network)


def distance_mm(got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return distances between positions (..., 3) in m, shape (...), mm."""
    return 1e3 * np.linalg.norm(got - wanted, axis=-1)

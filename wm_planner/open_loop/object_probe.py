"""A small network that reads one object's position from a frame's latent.

The models have no such output. The probe is fitted for the occasion, to ask what a latent knows: on
frames of other episodes, with positions from the simulator. Its error is an upper bound, and
shrinks with more frames to fit on. Where it fails beside a hand, the latent took the hand for the
object. `wm_planner.training.object_probe` fits it, where torch is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted probe.

    Attributes:
        mean: average position in the frames it was fitted on, shape (3,), m: what can be said
            without a picture.
        frames: how many those were.
        network: inputs (N, D) to positions (N, 3), m.
    """

    mean: np.ndarray
    frames: int
    network: Callable[[np.ndarray], np.ndarray]

    def read(self, inputs: np.ndarray) -> np.ndarray:
        """Return positions (..., 3), m, for inputs (..., D)."""
        flat = inputs.reshape(-1, inputs.shape[-1])
        return self.network(flat).reshape(*inputs.shape[:-1], 3)


FitProbe = Callable[[np.ndarray, np.ndarray, int], "Probe | None"]
"""Takes inputs (N, D), flat latents or packed hand poses for a baseline, positions (N, 3) in m, and
a seed; returns None where there are too few frames."""


def distance_mm(got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return distances between positions (..., 3) in m, shape (...), mm."""
    return 1e3 * np.linalg.norm(got - wanted, axis=-1)

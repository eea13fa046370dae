"""Dreams that are to be dreamed anew from some frame on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.errors import DataError
from wm_planner.types.arrays import frozen_array


@dataclass(frozen=True, eq=False)
class Restart:
    """K dreams, what is kept of each, and how the rest of it shall differ.

    Attributes:
        latents: shape (K, H, ...), float16, the dreams as they were.
        kept: shape (K,), frames that stay as they are, 0 to H; the others are dreamed anew.
        noise: shape (K,), factor of the model's noise scale.
        guidance: shape (K,), factor of the weight that the instruction has.
    """

    latents: np.ndarray
    kept: np.ndarray
    noise: np.ndarray
    guidance: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and range, and freeze the arrays."""
        axes: dict[str, int] = {}
        value = frozen_array("Restart.latents", self.latents, ("K", "H", ...), np.float16, axes)
        object.__setattr__(self, "latents", value)
        for name, dtype in (("kept", np.int64), ("noise", np.float64), ("guidance", np.float64)):
            value = frozen_array(f"Restart.{name}", getattr(self, name), ("K",), dtype, axes)
            object.__setattr__(self, name, value)
        if axes["K"] and not 0 <= self.kept.min() <= self.kept.max() <= axes["H"]:
            raise DataError(f"Restart.kept is {self.kept}, expected 0 to {axes['H']} frames")

    @property
    def kept_frames(self) -> np.ndarray:
        """Shape (K, H), bool: which frames stay."""
        return np.arange(self.latents.shape[1]) < self.kept[:, None]

"""What the arms are doing when a chunk begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.types.arrays import frozen_array


@dataclass(frozen=True, eq=False)
class StartState:
    """Measured joints at the chunks' start; NaN where unknown, which filters reject.

    Attributes:
        joint_position: shape (D,), rad (m for a sliding joint).
        joint_velocity: shape (D,), rad/s; what is left of the chunk that is being executed.
    """

    joint_position: np.ndarray
    joint_velocity: np.ndarray

    def __post_init__(self) -> None:
        """Check the shapes and freeze the arrays."""
        axes: dict[str, int] = {}
        for name in ("joint_position", "joint_velocity"):
            label = f"StartState.{name}"
            value = frozen_array(label, getattr(self, name), ("D",), np.float64, axes)
            object.__setattr__(self, name, value)

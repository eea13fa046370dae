"""Where both hands are, and how far they are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.types.arrays import frozen_array

HANDS = ("left", "right")
"""Order of the two hands in every array of this package."""


@dataclass(frozen=True, eq=False)
class HandPoses:
    """Tool frames of the left and the right hand in the rig's base frame.

    Leading axes are free: one pose, a chunk (H,) or chunks of candidates (K, H). Indexing works
    on them: `poses[k]`, `poses[..., -1]` as well as `poses[:, 2:]`.

    Attributes:
        position: shape (..., 2, 3), m.
        rotation: shape (..., 2, 3, 3), columns are the tool's axes in the base frame.
        width: shape (..., 2), gripper opening, m.
    """

    position: np.ndarray
    rotation: np.ndarray
    width: np.ndarray

    def __post_init__(self) -> None:
        """Check the shapes and freeze the arrays."""
        position = frozen_array("HandPoses.position", self.position, (..., 2, 3))
        lead = position.shape[:-2]
        object.__setattr__(self, "position", position)
        for name, tail in (("rotation", (2, 3, 3)), ("width", (2,))):
            value = frozen_array(f"HandPoses.{name}", getattr(self, name), (*lead, *tail))
            object.__setattr__(self, name, value)

    @property
    def lead(self) -> tuple[int, ...]:
        """Sizes of the leading axes; () for a single pair of hands."""
        return self.position.shape[:-2]

    def __getitem__(self, index: Any) -> HandPoses:
        """Index the leading axes, keeping hands and coordinates whole."""
        whole = index if isinstance(index, tuple) else (index,)
        if not any(part is ... for part in whole):
            whole = (*whole, ...)
        one, two, three = ((slice(None),) * count for count in (1, 2, 3))
        return HandPoses(
            self.position[whole + two], self.rotation[whole + three], self.width[whole + one]
        )

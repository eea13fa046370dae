"""What the world model says of its own dreams once they have become actions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from wm_planner.errors import ShapeError
from wm_planner.types.arrays import frozen_array
from wm_planner.types.candidates import ActionChunks, Rollouts


class Need(IntEnum):
    """How much of a re-simulation a filter or a scorer looks at; each includes those before."""

    NOTHING = 0
    ROLLOUTS = 1
    CHUNKS = 2


@dataclass(frozen=True, eq=False)
class Resimulation:
    """K dreams, and what the same world model dreams of the actions that were read off them.

    Attributes:
        dreamed: the candidates' dreams, (K, H, ...).
        rollouts: dreamed under their actions, whatever comes of it, (K, H, ...).
        newest: the newest observed frame's latent, float32, shaped as one frame of the dreams.
        chunks: actions read off `rollouts`, (K, H, 20); None where nobody asked for them.
    """

    dreamed: Rollouts
    rollouts: Rollouts
    newest: np.ndarray
    chunks: ActionChunks | None = None

    def __post_init__(self) -> None:
        """Check that frames pair up, and freeze the array."""
        dreamed, simulated = self.dreamed.latents.shape, self.rollouts.latents.shape
        if dreamed != simulated:
            raise ShapeError(f"Resimulation: dreams are {dreamed}, simulated were {simulated}")
        newest = frozen_array("Resimulation.newest", self.newest, dreamed[2:], np.float32)
        object.__setattr__(self, "newest", newest)

    @property
    def cycle_cost(self) -> np.ndarray:
        """How far the dreams are from what was simulated, step by step, shape (K, H).

        Root mean square difference of a frame's latents, of the deviation that the values of the
        newest observed frame's have among themselves: so the unit of the latents does not matter.
        NaN where a dream or its simulation is not finite.
        """
        axes = tuple(range(2, self.dreamed.latents.ndim))
        dreamed, simulated = (
            rollouts.latents.astype(np.float32) for rollouts in (self.dreamed, self.rollouts)
        )
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.sqrt(np.square(simulated - dreamed).mean(axis=axes))
            cost: np.ndarray = apart / max(float(self.newest.std()), np.finfo(np.float32).tiny)
        return np.where(np.isfinite(cost), cost, np.nan)

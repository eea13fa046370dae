"""The pair of models that is measured, and what they want to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.errors import DataError
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics
from wm_planner.open_loop.inversion import Inverted, invert
from wm_planner.open_loop.windows import Recording, Windows, WindowSizes
from wm_planner.world_models.world_model import WorldModel

FPS_TOLERANCE = 0.01  # relative


@dataclass(frozen=True, eq=False)
class Models:
    """What is measured.

    Attributes:
        world_model: dreams.
        inverse_dynamics: reads commands, with the settings it is shipped with.
        averaging: the same, but averaging over ``averaging_draws`` draws of noise.
        averaging_draws: how many.
    """

    world_model: WorldModel
    inverse_dynamics: InverseDynamics
    averaging: InverseDynamics
    averaging_draws: int


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads commands off frames of windows; attributes as the arguments of `invert`."""

    model: InverseDynamics
    bundle_hash: str
    seed: int

    def __call__(
        self, windows: Windows, future: np.ndarray, newest: np.ndarray, dreamed: bool = True
    ) -> Inverted:
        return invert(self.model, newest, future, windows, self.bundle_hash, self.seed, dreamed)


def window_sizes(recording: Recording, model: WorldModel) -> WindowSizes:
    """Return what windows of the recording the model wants, or raise DataError."""
    spec = model.spec
    if not np.isclose(recording.fps * spec.dt, 1.0, FPS_TOLERANCE):
        raise DataError(
            f"the dataset has {recording.fps} frames a second, the world model {1 / spec.dt:g}"
        )
    return WindowSizes(spec.context_frames, spec.horizon, spec.camera, spec.image_size)

"""The pair of models that is measured, and what they want to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.errors import DataError
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics
from wm_planner.open_loop.dreams import decode, encode
from wm_planner.open_loop.inversion import Inverted, invert
from wm_planner.open_loop.windows import Recording, Windows, WindowSizes
from wm_planner.planner.readable_frames import readable_frames
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
    """Reads commands off frames of windows, as the planner would.

    Attributes:
        model: reads.
        world_model: whose latents the frames are.
        seed: of the noise of models that average over draws.
    """

    model: InverseDynamics
    world_model: WorldModel
    seed: int

    def __call__(
        self, windows: Windows, future: np.ndarray, newest: np.ndarray, dreamed: bool = True
    ) -> Inverted:
        """Read latents, (B, H, *latent_shape), after newest ones, (B, *latent_shape)."""
        latents = np.concatenate([newest[:, None], future], axis=1)
        scenes = windows.images[:, -windows.horizon - 1]
        frames = readable_frames(self.world_model, self.model.spec, latents, scenes)
        return self._invert(windows, frames, dreamed)

    def recorded(self, windows: Windows, real: np.ndarray, newest: np.ndarray) -> Inverted:
        """Read what the camera saw; the latents of it are for models that read those."""
        if not self.model.spec.reads_images:
            return self(windows, real, newest, dreamed=False)
        return self._invert(windows, windows.images[:, -windows.horizon - 1 :], dreamed=False)

    def reconstructed(self, windows: Windows, real: np.ndarray, newest: np.ndarray) -> Inverted:
        """Read what is left of that after encoding and decoding it."""
        if not self.model.spec.reads_images:
            model, scenes = self.world_model, windows.images[:, -windows.horizon - 1]
            real, newest = (encode(model, decode(model, x, scenes)) for x in (real, newest))
        return self(windows, real, newest, dreamed=False)

    def _invert(self, windows: Windows, frames: np.ndarray, dreamed: bool) -> Inverted:
        origin = self.world_model.spec.bundle_hash
        return invert(self.model, frames, windows, origin, self.seed, dreamed)


def window_sizes(recording: Recording, model: WorldModel) -> WindowSizes:
    """Return what windows of the recording the model wants, or raise DataError."""
    spec = model.spec
    if not np.isclose(recording.fps * spec.dt, 1.0, FPS_TOLERANCE):
        raise DataError(
            f"the dataset has {recording.fps} frames a second, the world model {1 / spec.dt:g}"
        )
    return WindowSizes(spec.context_frames, spec.horizon, spec.camera, spec.image_size)

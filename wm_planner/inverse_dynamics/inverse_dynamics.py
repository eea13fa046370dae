"""The base of all inverse dynamics models: which actions lead from frame to frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from wm_planner.types import ActionChunks, HandPoses


@dataclass(frozen=True)
class InverseDynamicsSpec:
    """What an inverse dynamics model expects.

    Attributes:
        dt: spacing of frames it was trained on, s.
        latent_shape: shape of one frame's latent.
        encoder_hash: sha256 of the encoder whose latents it reads.
        bundle_hash: identifies the model.
    """

    dt: float
    latent_shape: tuple[int, ...]
    encoder_hash: str
    bundle_hash: str


class InverseDynamics(ABC):
    """Reads hand commands off a sequence of latents."""

    spec: InverseDynamicsSpec

    @abstractmethod
    def invert(
        self,
        latents: np.ndarray,
        measured: HandPoses,
        dt: float,
        start_ns: int,
        bundle_hash: str,
        generator: np.random.Generator | None = None,
        dreamed: bool = True,
    ) -> ActionChunks:
        """Return the chain of actions that leads through the frames.

        Args:
            latents: shape (K, H + 1, *latent_shape), the newest *observed* frame first.
            measured: measured hands at that frame, no leading axes; the first action is relative
                to them, so errors of the model's own idea of the pose do not accumulate.
            dt: spacing of the frames, s.
            start_ns: stamp of the observed frame.
            bundle_hash: world model bundle the latents come from.
            generator: source of noise for models that average over draws; None for no noise.
            dreamed: whether the frames after the first were dreamed, as in planning, or seen. What
                a dream does wrong need not look wrong, so models state more variance for them.
        """

"""The base of all world models: imagine what the camera will see.

A world model works on latents. Its two questions are what could happen when the goal is reached
(`imagine`) and what would happen if given actions were executed (`simulate`). Nothing here reads
a clock or global randomness: the noise comes from the generator passed in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner import images
from wm_planner.types import ActionChunks, Goal, HandPoses, ObservationWindow, Restart, Rollouts


@dataclass(frozen=True)
class WorldModelSpec:
    """What a world model expects and returns.

    Attributes:
        dt: spacing of frames, s.
        context_frames: T, observed frames it looks at.
        horizon: H, frames it dreams.
        camera: name of the camera it looks through.
        image_size: height and width of that camera's images, px.
        latent_shape: shape of one frame's latent, such as (tokens, channels).
        bundle_hash: identifies the model and its latent space.
        instructions: sentences it is known to understand, as examples.
    """

    dt: float
    context_frames: int
    horizon: int
    camera: str
    image_size: tuple[int, int]
    latent_shape: tuple[int, ...]
    bundle_hash: str
    instructions: tuple[str, ...] = ()


class WorldModel(ABC):
    """Dreams in latents.

    Attributes:
        spec: what it expects and returns.
        settings: how it dreams; may be replaced between two plans, but for what is `fixed`.
    """

    spec: WorldModelSpec
    settings: Any

    @abstractmethod
    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Turn images (N, h, w, 3) uint8 of the model's size into latents, float32."""

    def look(self, frames: np.ndarray) -> np.ndarray:
        """Turn camera images (N, h, w, 3) uint8 of any size into latents."""
        return self.encode(images.fit(frames, *self.spec.image_size))

    @abstractmethod
    def decode(self, latents: np.ndarray, scene: np.ndarray | None = None) -> np.ndarray:
        """Turn latents (N, *latent_shape) into images (N, h, w, 3) uint8.

        Args:
            latents: of N frames.
            scene: the newest frame that was observed before them, a camera image (h, w, 3) uint8 of
                any size; or S of them, each for N / S frames that follow each other. What does not
                move is taken from it, by a model that can. None to go by the latents alone.
        """

    @abstractmethod
    def imagine(
        self,
        window: ObservationWindow,
        goal: Goal,
        candidates: int,
        generator: np.random.Generator,
        committed: HandPoses | None = None,
        restart: Restart | None = None,
    ) -> Rollouts:
        """Dream K futures, as one batch, in which the goal is being reached.

        Args:
            window: the T newest frames.
            goal: what to reach; an empty goal dreams whatever may happen.
            candidates: K, at least 1.
            generator: source of all noise.
            committed: where the hands will be told to be on the first d < H steps whatever is
                dreamed, leading axis d. A model that knows no actions dreams as without.
            restart: K dreams to go on from, each from its own frame; None to begin at the window.
                A model that cannot dreams all frames anew.
        """

    @abstractmethod
    def simulate(
        self,
        window: ObservationWindow,
        start: HandPoses,
        chunks: ActionChunks,
        generator: np.random.Generator,
    ) -> Rollouts:
        """Dream what would happen if each chunk were executed, whether or not it succeeds.

        Args:
            window: the T newest frames.
            start: measured hands at the newest frame, no leading axes.
            chunks: relative actions (K, H, 20).
            generator: source of all noise.
        """

    @abstractmethod
    def value(self, latents: np.ndarray, goal: Goal) -> np.ndarray:
        """Return how near the goal frames are, shape (N,), for latents (N, *latent_shape)."""

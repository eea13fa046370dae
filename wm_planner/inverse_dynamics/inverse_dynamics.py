"""The base of all inverse dynamics models: which actions lead from frame to frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.bundle import Bundle
from wm_planner.types import ActionChunks, HandPoses


@dataclass(frozen=True)
class InverseDynamicsSpec:
    """What an inverse dynamics model expects.

    Attributes:
        dt: spacing of frames it was trained on, s.
        frame_shape: shape of one frame: of a world model's latent, or of an image (h, w, 3).
        reads_images: whether frames are images, uint8, of any world model's camera.
        bundle_hash: identifies the model.
    """

    dt: float
    frame_shape: tuple[int, ...]
    reads_images: bool
    bundle_hash: str

    @staticmethod
    def of_bundle(bundle: Bundle) -> InverseDynamicsSpec:
        """Read it off a manifest, without loading the model."""
        manifest, shape = bundle.manifest, bundle.manifest.latent_shape
        if manifest.reads_images:
            ((_, size),) = manifest.cameras.items()
            shape = (size.height, size.width, 3)
        return InverseDynamicsSpec(
            dt=manifest.dt_s,
            frame_shape=shape,
            reads_images=manifest.reads_images,
            bundle_hash=bundle.bundle_hash,
        )


class InverseDynamics(ABC):
    """Reads hand commands off a sequence of frames.

    Attributes:
        spec: what it expects.
        settings: how it reads; may be replaced between two plans, but for what is `fixed`.
    """

    spec: InverseDynamicsSpec
    settings: Any

    @abstractmethod
    def invert(
        self,
        frames: np.ndarray,
        measured: HandPoses,
        dt: float,
        start_ns: int,
        bundle_hash: str,
        generator: np.random.Generator | None = None,
        dreamed: bool = True,
    ) -> ActionChunks:
        """Return the chain of actions that leads through the frames.

        Args:
            frames: shape (K, H + 1, *frame_shape), the newest *observed* frame first. A planner
                gets them from `wm_planner.planner.readable_frames`.
            measured: measured hands at that frame, no leading axes; the first action is relative
                to them, so errors of the model's own idea of the pose do not accumulate.
            dt: spacing of the frames, s.
            start_ns: stamp of the observed frame.
            bundle_hash: world model bundle the frames come from.
            generator: source of noise for models that average over draws; None for no noise.
            dreamed: whether the frames after the first were dreamed, as in planning, or seen. What
                a dream does wrong need not look wrong, so models state more variance for them.
        """

    def check(self, settings: Any) -> None:  # noqa: B027  # most can go by all that are valid
        """Raise a WmPlannerError where the model cannot go by these settings, of its own kind."""

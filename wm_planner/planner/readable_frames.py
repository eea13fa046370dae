"""What an inverse dynamics model is shown of a world model's frames: latents, or pictures."""

from __future__ import annotations

import numpy as np

from wm_planner.errors import BundleError
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamicsSpec
from wm_planner.world_models.world_model import WorldModel

BATCH = 64  # images at a time


def readable_frames(
    world_model: WorldModel, spec: InverseDynamicsSpec, latents: np.ndarray, scene: np.ndarray
) -> np.ndarray:
    """Return frames as inverse dynamics reads them.

    Args:
        world_model: whose latents they are.
        spec: of the inverse dynamics model.
        latents: shape (K, F, *latent_shape).
        scene: the newest observed frame, (h, w, 3) uint8, or that of each row, (K, h, w, 3).

    Returns:
        The latents, float32; or, for a model that reads images, what they decode to, shape
        (K, F, h, w, 3), uint8. The observed frame as well: it is to look like those that follow.
    """
    frames = np.asarray(latents, np.float32)
    if not spec.reads_images:
        return frames
    if scene.ndim == 4:
        return np.stack([world_model.decode(*one) for one in zip(frames, scene, strict=True)])
    flat = frames.reshape(-1, *world_model.spec.latent_shape)
    parts = [world_model.decode(flat[at : at + BATCH], scene) for at in range(0, len(flat), BATCH)]
    return np.concatenate(parts).reshape(*frames.shape[:2], *spec.frame_shape)


def check_readable(world_model: WorldModel, spec: InverseDynamicsSpec) -> None:
    """Raise BundleError where inverse dynamics cannot read what the world model dreams."""
    dreamt = world_model.spec
    made = (*dreamt.image_size, 3) if spec.reads_images else dreamt.latent_shape
    if made != spec.frame_shape:
        what = "images" if spec.reads_images else "latents"
        raise BundleError(
            f"{what}: world model has {made}, inverse dynamics reads {spec.frame_shape}"
        )

"""What remote models expect, read off their manifests: nothing has to be loaded for it."""

from __future__ import annotations

from wm_planner.bundle import Bundle
from wm_planner.world_models.world_model import WorldModelSpec


def world_model_spec(bundle: Bundle) -> WorldModelSpec:
    """Read the specification off a manifest, without loading the model."""
    manifest = bundle.manifest
    ((camera, size),) = manifest.cameras.items()
    return WorldModelSpec(
        dt=manifest.dt_s,
        context_frames=manifest.context_frames,
        horizon=manifest.horizon,
        camera=camera,
        image_size=(size.height, size.width),
        latent_shape=manifest.latent_shape,
        bundle_hash=bundle.bundle_hash,
        instructions=manifest.instructions,
    )

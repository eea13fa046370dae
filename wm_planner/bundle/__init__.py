"""Model bundles: a folder per model, verified on loading and paired with its rig."""

from wm_planner.bundle.folder import Bundle, load_bundle, write_bundle
from wm_planner.bundle.fresh_weights import with_fresh_weights
from wm_planner.bundle.manifest import (
    BACKBONE,
    GRAPHS,
    INVERSE_DYNAMICS,
    OPTIONAL_GRAPHS,
    SCENE_DECODER,
    WORLD_MODEL,
    ActionSpec,
    CameraSpec,
    GraphSpec,
    Manifest,
    SamplerSpec,
    TensorSpec,
)
from wm_planner.bundle.pairing import mismatches, pair

__all__ = [
    "BACKBONE",
    "GRAPHS",
    "INVERSE_DYNAMICS",
    "OPTIONAL_GRAPHS",
    "SCENE_DECODER",
    "WORLD_MODEL",
    "ActionSpec",
    "Bundle",
    "CameraSpec",
    "GraphSpec",
    "Manifest",
    "SamplerSpec",
    "TensorSpec",
    "load_bundle",
    "mismatches",
    "pair",
    "with_fresh_weights",
    "write_bundle",
]

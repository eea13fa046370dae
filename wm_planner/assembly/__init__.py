"""Assembly: from `planner.yaml` to everything that plans."""

from wm_planner.assembly.config import ModelConfig, StackConfig, default_config_path, load_config
from wm_planner.assembly.stack import (
    Stack,
    assemble,
    build_filters,
    build_scorers,
    load_bundles,
    open_inverse_dynamics,
    open_rig,
    open_world_model,
)

__all__ = [
    "ModelConfig",
    "Stack",
    "StackConfig",
    "assemble",
    "build_filters",
    "build_scorers",
    "default_config_path",
    "load_bundles",
    "load_config",
    "open_inverse_dynamics",
    "open_rig",
    "open_world_model",
]

"""Which class a configured name stands for.

Built-in classes are listed here; other packages add theirs as entry points of the group
`wm_planner.<kind>` with the same "module:Class" string. Nothing is imported before it is asked
for, so a name that nobody uses costs nothing and needs nothing installed.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points

from wm_planner.errors import ConfigurationError, UnknownNameError

BUILT_IN: dict[str, dict[str, str]] = {
    "world_models": {
        "onnx": "wm_planner.world_models.onnx_world_model:OnnxWorldModel",
        "diffusers": "wm_planner.world_models.diffusers_world_model:DiffusersWorldModel",
    },
    "inverse_dynamics": {
        "onnx": "wm_planner.inverse_dynamics.onnx_inverse_dynamics:OnnxInverseDynamics",
    },
    "filters": {
        "kinematic": "wm_planner.filters.kinematic_filter:KinematicFilter",
        "dtw": "wm_planner.filters.dtw_filter:DtwFilter",
        "cycle": "wm_planner.filters.cycle_filter:CycleFilter",
    },
    "scorers": {
        "value": "wm_planner.scorers.value_scorer:ValueScorer",
        "image_goal": "wm_planner.scorers.image_goal_scorer:ImageGoalScorer",
        "confidence": "wm_planner.scorers.confidence_scorer:ConfidenceScorer",
        "smoothness": "wm_planner.scorers.smoothness_scorer:SmoothnessScorer",
        "preference": "wm_planner.scorers.preference_scorer:PreferenceScorer",
        "instruction": "wm_planner.scorers.instruction_scorer:InstructionScorer",
        "cycle": "wm_planner.scorers.cycle_scorer:CycleScorer",
    },
    "rigs": {
        "mujoco": "wm_planner.rigs.mujoco_rig:MujocoRig",
    },
}


def names(kind: str) -> dict[str, str]:
    """Return every known name of a kind with its "module:Class", built in and from others."""
    if kind not in BUILT_IN:
        raise UnknownNameError("kind of component", kind, BUILT_IN)
    others = {entry.name: entry.value for entry in entry_points(group=f"wm_planner.{kind}")}
    return {**others, **BUILT_IN[kind]}  # nobody may replace a built-in one unseen


def resolve(kind: str, name: str) -> type:
    """Import and return the class behind a name.

    Args:
        kind: "filters", "scorers", "rigs", "world_models" or "inverse_dynamics".
        name: as written in the configuration.
    """
    known = names(kind)
    if name not in known:
        raise UnknownNameError(f"name in {kind}", name, known)
    module_name, _, class_name = known[name].partition(":")
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"Cannot load {name!r} of {kind}: {error}") from error


def settings_of(cls: type) -> type:
    """Return the settings dataclass that stands beside a class: `X` has `XSettings`."""
    name = f"{cls.__name__}Settings"
    found = getattr(sys.modules[cls.__module__], name, None)
    if found is None:
        raise ConfigurationError(f"{cls.__module__} has no {name} beside {cls.__name__}")
    return found

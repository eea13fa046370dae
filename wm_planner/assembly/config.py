"""What `planner.yaml` says: which parts the stack is made of, and their settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wm_planner import registry
from wm_planner.executor import ExecutorSettings
from wm_planner.observing.known_view import ViewSettings
from wm_planner.onnx_session import OnnxSettings
from wm_planner.planner import PlannerSettings
from wm_planner.robot.strict_yaml import Section, read
from wm_planner.settings import from_mapping
from wm_planner.share_folder import share_folder
from wm_planner.task.replanning import ReplanningSettings
from wm_planner.task.sub_goals import SubGoalSettings

KEYS = (
    *("rig", "view", "world_model", "inverse_dynamics", "onnx"),
    *("filters", "scorers", "planner", "replanning", "goals", "executor"),
)


@dataclass(frozen=True)
class ModelConfig:
    """One model: its name in the registry, its bundle's folder and its settings dataclass."""

    type: str
    bundle: Path
    settings: Any


@dataclass(frozen=True)
class StackConfig:
    """All of `planner.yaml`, checked.

    Attributes:
        rig: name of the rig, or path of its file.
        view: whether and when frames are brought to the view that the rig file knows.
        world_model: which one.
        inverse_dynamics: which one.
        onnx: where both run.
        filters: settings dataclasses by name, in order.
        scorers: settings dataclasses by name, in order.
        planner: settings of the planner.
        replanning: when and how a plan follows another one.
        goals: when a goal counts as reached, and how often it is tried.
        executor: settings of the executor.
    """

    rig: str
    view: ViewSettings
    world_model: ModelConfig
    inverse_dynamics: ModelConfig
    onnx: OnnxSettings
    filters: Mapping[str, Any]
    scorers: Mapping[str, Any]
    planner: PlannerSettings
    replanning: ReplanningSettings
    goals: SubGoalSettings
    executor: ExecutorSettings

    @property
    def model_settings(self) -> dict[str, dict[str, Any]]:
        """How both models are used, as JSON holds it; with other settings they answer otherwise."""
        models = {"world_model": self.world_model, "inverse_dynamics": self.inverse_dynamics}
        return {kind: dataclasses.asdict(model.settings) for kind, model in models.items()}

    @property
    def judging_settings(self) -> dict[str, dict[str, Any]]:
        """Filters and scorers, likewise; with others other candidates are chosen."""
        return {
            part: {name: dataclasses.asdict(one) for name, one in getattr(self, part).items()}
            for part in ("filters", "scorers")
        }

    def without_hurry(self) -> StackConfig:
        """Return the same for where time stands still while the planner thinks.

        How fast this machine is then decides nothing, and results can be had again.
        """
        planner = dataclasses.replace(self.planner, regeneration_time=0.0)
        return dataclasses.replace(self, planner=planner)


def default_config_path() -> Path:
    """Return where the `planner.yaml` that comes with the package is."""
    return share_folder() / "config" / "planner.yaml"


def load_config(path: Path | None = None) -> StackConfig:
    """Read a configuration; None for the one that comes with the package."""
    path = (path or default_config_path()).resolve()
    top = read(path, KEYS)
    rig = top.text("rig")
    return StackConfig(
        rig=str((path.parent / rig).resolve()) if rig.endswith((".yaml", ".yml")) else rig,
        view=from_mapping(ViewSettings, _optional(top, "view")),
        world_model=_model(top, "world_model", "world_models", path),
        inverse_dynamics=_model(top, "inverse_dynamics", "inverse_dynamics", path),
        onnx=from_mapping(OnnxSettings, _optional(top, "onnx")),
        filters=_components(top, "filters"),
        scorers=_components(top, "scorers"),
        planner=from_mapping(PlannerSettings, _optional(top, "planner")),
        replanning=from_mapping(ReplanningSettings, _optional(top, "replanning")),
        goals=from_mapping(SubGoalSettings, _optional(top, "goals")),
        executor=from_mapping(ExecutorSettings, _optional(top, "executor")),
    )


def _model(top: Section, key: str, kind: str, path: Path) -> ModelConfig:
    section = top.section(key, ("type", "bundle", "settings"))
    name = section.text("type")
    settings = registry.settings_of(registry.resolve(kind, name))
    return ModelConfig(
        type=name,
        bundle=(path.parent / section.text("bundle")).resolve(),
        settings=from_mapping(settings, _optional(section, "settings")),
    )


def _components(top: Section, kind: str) -> dict[str, Any]:
    section = top.section(kind)
    return {
        name: from_mapping(
            registry.settings_of(registry.resolve(kind, name)), _optional(section, name)
        )
        for name in section.data
    }


def _optional(section: Section, key: str) -> Mapping[str, Any]:
    """Return a mapping, empty when it is absent or left blank."""
    if section.data.get(key) is None:
        return {}
    return section.section(key).data

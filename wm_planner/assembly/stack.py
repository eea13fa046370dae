"""Builds the parts that a configuration names and checks that they belong together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from wm_planner import registry
from wm_planner.assembly.config import StackConfig
from wm_planner.bundle import (
    INVERSE_DYNAMICS,
    WORLD_MODEL,
    Bundle,
    load_bundle,
    pair,
    with_fresh_weights,
)
from wm_planner.filters.filter import Filter
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics
from wm_planner.observing.known_view import KnownView, open_view
from wm_planner.planner import Planner
from wm_planner.rigs.rig import Rig
from wm_planner.robot.rig_description import RigDescription, find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.scorers.scorer import Scorer
from wm_planner.world_models.world_model import WorldModel

FRESH_WEIGHTS_SEED = 0


@dataclass(frozen=True, eq=False)
class Stack:
    """Everything that plans, ready to run."""

    config: StackConfig
    rig_description: RigDescription
    robot: RobotModel
    world_model: WorldModel
    inverse_dynamics: InverseDynamics
    planner: Planner
    view: KnownView | None = None


def assemble(config: StackConfig, untrained: Collection[str] = ()) -> Stack:
    """Build all of it.

    Args:
        config: what to build.
        untrained: models that get fresh random weights, of WORLD_MODEL and INVERSE_DYNAMICS.
    """
    rig_description = find_rig(config.rig)
    robot = RobotModel(rig_description)
    # Paired as trained: fresh weights change the hashes, and shall not be refused for it.
    bundles = load_bundles(config, rig_description)
    for kind in untrained:
        bundles[kind] = with_fresh_weights(bundles[kind], FRESH_WEIGHTS_SEED)
    world_model = open_world_model(config, bundles[WORLD_MODEL])
    inverse_dynamics = open_inverse_dynamics(config, bundles[INVERSE_DYNAMICS])
    planner = Planner(
        world_model,
        inverse_dynamics,
        robot,
        build_filters(config, robot),
        build_scorers(config, bundles[WORLD_MODEL]),
        config.planner,
    )
    view = open_view(config.view, rig_description, world_model.spec.camera)
    return Stack(config, rig_description, robot, world_model, inverse_dynamics, planner, view)


def load_bundles(config: StackConfig, rig: RigDescription) -> dict[str, Bundle]:
    """Return both verified bundles by kind, or raise BundleError when they do not fit."""
    bundles = {
        WORLD_MODEL: load_bundle(config.world_model.bundle, WORLD_MODEL),
        INVERSE_DYNAMICS: load_bundle(config.inverse_dynamics.bundle, INVERSE_DYNAMICS),
    }
    sizes = {name: (camera.height, camera.width) for name, camera in rig.cameras.items()}
    pair(bundles[WORLD_MODEL].manifest, bundles[INVERSE_DYNAMICS].manifest, rig.name, sizes)
    return bundles


def open_world_model(config: StackConfig, bundle: Bundle) -> WorldModel:
    """Load the configured world model."""
    cls = registry.resolve("world_models", config.world_model.type)
    return cls(bundle, config.world_model.settings, config.onnx, find_rig(config.rig))


def open_inverse_dynamics(config: StackConfig, bundle: Bundle) -> InverseDynamics:
    """Load the configured inverse dynamics model."""
    cls = registry.resolve("inverse_dynamics", config.inverse_dynamics.type)
    return cls(bundle, config.inverse_dynamics.settings, config.onnx)


def build_filters(config: StackConfig, robot: RobotModel) -> list[Filter]:
    """Return the configured filters, in order."""
    return [
        registry.resolve("filters", name)(robot, settings)
        for name, settings in config.filters.items()
    ]


def build_scorers(config: StackConfig, bundle: Bundle) -> list[Scorer]:
    """Return the configured scorers, in order.

    Args:
        config: which.
        bundle: of the world model, which some have a head in.
    """
    scorers = []
    for name, settings in config.scorers.items():
        cls: type[Scorer] = registry.resolve("scorers", name)
        scorers.append(cls.open(settings, bundle, config.onnx))
    return scorers


def open_rig(name: str, description: RigDescription) -> Rig:
    """Open a rig by its name in the registry, with default settings."""
    cls = registry.resolve("rigs", name)
    return cls(registry.settings_of(cls)(), description)

"""The one table of processes: the supervisor starts from it, and so do the launch files.

Needs no ROS to be imported: a launch file reads it wherever launch runs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: In this order they are configured and activated: whoever needs another comes after it.
LIFECYCLE_NODES = ("camera", "world_model", "idm", "filter", "planner")


@dataclass(frozen=True)
class GraphOptions:
    """What shall run.

    Attributes:
        config: path of the planner's configuration; empty for the installed one.
        simulate: whether a simulated robot is part of the graph.
        composed: all stages in one process, or each in its own.
        simulator: registered rig class that simulates it.
        task: scene of the simulated robot.
        seed: of that scene.
        real_time_factor: of the simulated robot; with anything but 1 the graph runs on /clock.
        parameters: more ROS parameters for every node that declares them.
    """

    config: str = ""
    simulate: bool = True
    composed: bool = True
    simulator: str = "mujoco"
    task: str = "pick_lift"
    seed: int = 1_000_000
    real_time_factor: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProcessSpec:
    """One process.

    Attributes:
        name: what `wm-planner node` calls it.
        nodes: names of the nodes in it.
        parameters: ROS parameters for all of them.
    """

    name: str
    nodes: tuple[str, ...]
    parameters: Mapping[str, Any]

    @property
    def arguments(self) -> list[str]:
        """Words after `wm-planner`, without parameters, as launch adds those itself."""
        return ["node", self.name]

    @property
    def command(self) -> list[str]:
        """The whole command line, parameters included."""
        words = [sys.executable, "-m", "wm_planner.cli", *self.arguments, "--ros-args"]
        for name, value in self.parameters.items():
            words += ["-p", f"{name}:={_yaml(value)}"]
        return words


def process_table(options: GraphOptions) -> tuple[ProcessSpec, ...]:
    """Return the processes in the order in which they are started."""
    simulated_time = options.simulate and options.real_time_factor != 1.0
    common = {
        "config": options.config,
        "use_sim_time": simulated_time,
        **options.parameters,
    }
    scene = {
        "simulator": options.simulator,
        "task": options.task,
        "seed": options.seed,
        "real_time_factor": float(options.real_time_factor),
    }
    table = []
    if options.simulate:
        # The simulator makes the time that others follow.
        rig_parameters = {**common, **scene, "use_sim_time": False}
        table.append(ProcessSpec("rig", ("rig",), rig_parameters))
    table.append(ProcessSpec("executor", ("executor",), common))
    if options.composed:
        table.append(ProcessSpec("planner_process", LIFECYCLE_NODES, common))
    else:
        table += [ProcessSpec(name, (name,), common) for name in LIFECYCLE_NODES]
    return tuple(table)


def lifecycle_manager_process(options: GraphOptions) -> ProcessSpec:
    """The process that configures and activates, where no supervisor does it: launch files."""
    return ProcessSpec("lifecycle_manager", ("lifecycle_manager",), {})


def _yaml(value: Any) -> str:
    """Write a value as the YAML that ROS reads on a command line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    return repr(value)

"""The process table as launch actions, for the files in launch/."""

from __future__ import annotations

from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_context import LaunchContext
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from wm_planner.nodes.process_table import GraphOptions, lifecycle_manager_process, process_table

#: Launch argument to its default and help; each is a field of `GraphOptions`.
PLANNER_ARGUMENTS = {
    "config": ("", "the planner's configuration (YAML); empty for the installed one"),
    "composed": ("true", "all stages in one process, or each in its own"),
}
SIMULATION_ARGUMENTS = {
    "simulator": ("mujoco", "registered rig that is simulated"),
    "task": ("pick_lift", "scene of the simulated robot"),
    "seed": ("1000000", "of that scene"),
    "real_time_factor": ("1.0", "simulated over wall seconds; not 1: the graph runs on /clock"),
}
_READ: dict[str, Any] = {
    "composed": lambda text: text.lower() in ("true", "1", "yes"),
    "seed": int,
    "real_time_factor": float,
}


def graph_actions(simulate: bool) -> list[Any]:
    """Return what a launch description is made of.

    Args:
        simulate: whether a simulated robot is part of the graph.
    """
    known = {**PLANNER_ARGUMENTS, **(SIMULATION_ARGUMENTS if simulate else {})}
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in known.items()
    ]

    def start(context: LaunchContext) -> list[Node]:
        texts = {name: LaunchConfiguration(name).perform(context) for name in known}
        values = {name: _READ.get(name, str)(text) for name, text in texts.items()}
        options = GraphOptions(simulate=simulate, **values)
        processes = (*process_table(options), lifecycle_manager_process(options))
        return [
            Node(
                package="wm_planner",
                executable="wm-planner",
                arguments=process.arguments,
                parameters=[dict(process.parameters)] if process.parameters else None,
                respawn=True,
                respawn_delay=0.5,
                output="screen",
                # Five seconds, the default, are not much for a loaded machine to end cleanly in.
                sigterm_timeout="15",
                sigkill_timeout="10",
            )
            for process in processes
        ]

    return [*declared, OpaqueFunction(function=start)]

"""Run one process of the graph: what the supervisor, launch files and `ros2 run` start.

Everything after the name goes to ROS: wm-planner node executor --ros-args -p rate:=20.0
"""

from __future__ import annotations

import argparse

NAME = "node"
HELP = "run one process of the ROS graph"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("name", help="rig, executor, planner_process, camera, world_model, ...")
    parser.add_argument("ros_arguments", nargs=argparse.REMAINDER, help="--ros-args ...")


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C."""
    from wm_planner.nodes.run_node import run_process

    return run_process(args.name, args.ros_arguments)

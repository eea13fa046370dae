"""Bring up the graph and keep it up: restart what dies, shut all down on Ctrl-C.

The nodes can be looked at from another shell with the usual ROS tools.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

NAME = "up"
HELP = "start the whole ROS graph under a supervisor"


def add_graph_arguments(parser: argparse.ArgumentParser, task: str = "pick_lift") -> None:
    """Declare what chooses a graph; the demo has the same, with a task of its own."""
    parser.add_argument("--config", default="", help="path of the planner's configuration (YAML)")
    parser.add_argument("--simulator", default="mujoco", help="registered rig that is simulated")
    parser.add_argument("--task", default=task, help=f"scene of the simulated robot ({task})")
    parser.add_argument("--seed", type=int, default=1_000_000, help="of that scene")
    parser.add_argument(
        "--separate", action="store_true", help="each stage in a process of its own"
    )
    parser.add_argument(
        "--real-time-factor",
        type=float,
        default=1.0,
        help="simulated over wall seconds; anything but 1 runs the graph on /clock",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    add_graph_arguments(parser)
    parser.add_argument(
        "--no-simulate", action="store_true", help="the robot and its drivers run elsewhere"
    )
    parser.add_argument("--logs", type=Path, help="folder for the processes' output, one file each")


def run(args: argparse.Namespace) -> int:
    """Supervise until Ctrl-C."""
    from wm_planner.nodes.graph_session import ros_context, running_graph, stay_on_this_machine
    from wm_planner.nodes.process_table import GraphOptions

    stay_on_this_machine()
    options = GraphOptions(
        config=args.config,
        simulate=not args.no_simulate,
        composed=not args.separate,
        simulator=args.simulator,
        task=args.task,
        seed=args.seed,
        real_time_factor=args.real_time_factor,
    )
    with ros_context() as context, running_graph(options, context, args.logs) as supervisor:
        told = ""
        try:
            while True:
                state = "up" if supervisor.ready else supervisor.manager.problem or "starting"
                if state != told:
                    print(f"wm-planner: {state}", flush=True)
                    told = state
                time.sleep(0.5)
        except KeyboardInterrupt:
            print("wm-planner: shutting down", flush=True)
    return 0

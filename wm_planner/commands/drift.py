"""Calibrate the drift limit: how far undisturbed runs were from the dreams they followed.

Bags are those of `wm-planner demo` or `wm-planner record`, of runs in which nothing went wrong.
Prints the limit at which --false-alarms of their plans would be seen to leave their dream, for
`drift_limit` under `replanning:` in planner.yaml. No ROS runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "drift"
HELP = "calibrate the drift limit on bags of undisturbed runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="folders or files")
    parser.add_argument(
        "--false-alarms", type=float, default=0.05, metavar="SHARE", help="of plans (0.05)"
    )
    parser.add_argument(
        "--config", type=Path, metavar="YAML", help="with drift_steps (the installed planner.yaml)"
    )


def run(args: argparse.Namespace) -> int:
    """Print a line for each bag, and the limit."""
    import math

    import numpy as np

    from wm_planner.assembly import load_config
    from wm_planner.errors import ConfigurationError, DataError
    from wm_planner.replay.drift_limits import drift_limit, lasting_distances

    if not 0.0 < args.false_alarms < 1.0:
        raise ConfigurationError(f"--false-alarms is {args.false_alarms}, expected 0 to 1")
    steps = load_config(args.config).replanning.drift_steps
    distances: list[float] = []
    for bag in args.bags:
        found = lasting_distances(bag, steps)
        told = f"median {np.median(found):.2f}, largest {max(found):.2f}" if found else "none"
        print(f"{bag}: {len(found)} plans followed for {steps:g} steps or more, {told}")
        distances += found
    limit = drift_limit(distances, args.false_alarms)
    if math.isnan(limit):
        least = math.ceil(1.0 / args.false_alarms) - 1
        raise DataError(
            f"{len(distances)} plans, expected at least {least} for false alarms of "
            f"{args.false_alarms:g}: record more runs, or allow more"
        )
    print(f"drift_limit: {limit:.2f} # {args.false_alarms:.0%} of {len(distances)} plans beyond it")
    return 0

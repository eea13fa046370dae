"""Check what was sent to the arms, as a bag holds it, against the limits of URDF and rig file.

For every joint the largest share of each limit: positions, velocities (stated ones and differences
of positions), accelerations and jerks (differences of velocities) of all set points, and of the
stops behind them. It shares no code with the planner's filters. Exit code 1 where a limit was
violated. Bags are those of `wm-planner demo`, or any with the rig's trajectory topics. No ROS runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_planner.limit_check import LimitCheck

NAME = "limits"
HELP = "check the commands in bags against the arms' limits"
EXIT_VIOLATION = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="folders or files")
    parser.add_argument("--rig", help="name or file (default: the one of config/planner.yaml)")


def run(args: argparse.Namespace) -> int:
    """Print a table for each bag."""
    from wm_planner.assembly import load_config
    from wm_planner.replay.bag_limits import check_limits
    from wm_planner.robot.rig_description import find_rig

    rig = find_rig(args.rig or load_config().rig)
    violated = 0
    for bag in args.bags:
        violated += tell(bag, check_limits(bag, rig))
    return EXIT_VIOLATION if violated else 0


def tell(bag: Path, check: LimitCheck) -> int:
    """Print one bag's table; return how many limits of joints were violated."""
    from wm_planner.limit_check import QUANTITIES

    reports = check.reports
    commands = max(report.commands for report in reports.values())
    print(f"{bag}: {commands} commands; largest share of each limit")
    width = max(len(name) for name in reports)
    print(" ".join([f"  {'':<{width}}", "commands", *(f"{name:>12}" for name in QUANTITIES)]))
    violations = []
    for name, report in reports.items():
        shares = [f"{worst.share:12.3f}" for worst in report.worst.values()]
        print(" ".join([f"  {name:<{width}}", f"{report.commands:8d}", *shares]))
        violations += [
            f"{name}: {worst.share:.3f} of its {quantity} limit {worst.at_s:.2f} s after the start"
            for quantity, worst in report.worst.items()
            if worst.violated
        ]
    for violation in violations:
        print(f"  ! {violation}")
    print(
        f"  {len(violations) or 'no'} limits violated, by {check.violations} of "
        f"{check.commands} messages"
    )
    return len(violations)

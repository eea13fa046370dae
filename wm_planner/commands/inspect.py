"""Look through a bag: topics, rates, gaps, skew, clock resets, cameras that show nothing.

Says whether the bag serves a rig, and where it does not, which of its names may be meant;
`--skeleton` prints a rig file with the bag's names. Exit code 1 where the bag cannot be replayed
on the rig. No ROS runs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_planner.replay.inspection import Inspection
    from wm_planner.robot.rig_description import RigDescription

NAME = "inspect"
HELP = "what is in a bag, what is wrong with it, and whether it serves a rig"
EXIT_PROBLEM = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("bag", type=Path, help="folder or file, rosbag2 or ROS 1")
    parser.add_argument("--rig", help="name or file (default: the one of config/planner.yaml)")
    parser.add_argument("--skeleton", action="store_true", help="print a rig file for the bag")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what was found."""
    from wm_planner.assembly import load_config
    from wm_planner.replay.inspection import inspect, mismatches, problems_of
    from wm_planner.replay.rig_proposal import rig_skeleton
    from wm_planner.robot.rig_description import find_rig

    rig = find_rig(args.rig or load_config().rig)
    found = inspect(args.bag)
    missing = mismatches(found, rig)
    if args.skeleton:
        print(rig_skeleton(found, args.bag.resolve().stem), end="")
        return 0
    if args.json:
        facts = asdict(found) | {"path": str(found.path), "problems": problems_of(found)}
        print(json.dumps(facts | {"rig": rig.name, "mismatches": missing}, indent=2))
    else:
        _table(found)
        for problem in problems_of(found):
            print(f"  ! {problem}")
        _verdict(found, rig, missing)
    return EXIT_PROBLEM if missing else 0


def _table(found: Inspection) -> None:
    print(f"{found.path}: {found.duration_s:.2f} s, {len(found.topics)} topics")
    width = max(len(name) for name in found.topics)
    for name, topic in found.topics.items():
        size = "" if topic.size is None else " {}x{}".format(*topic.size)
        skew = "" if topic.skew_s is None else f"  skew {topic.skew_s * 1e3:+.1f} ms"
        jitter = "" if topic.jitter_s is None else f" ± {topic.jitter_s * 1e3:.1f}"
        rate = f"{topic.rate_hz:7.1f} Hz" if topic.rate_hz else " " * 10
        print(f"  {name:<{width}}  {topic.count:6d} {rate}  {topic.type}{size}{skew}{jitter}")


def _verdict(found: Inspection, rig: RigDescription, missing: list[str]) -> None:
    from wm_planner.replay.inspection import mismatches
    from wm_planner.replay.rig_proposal import propose_joints, propose_topics
    from wm_planner.robot.rig_description import load_rig, rig_files

    if not missing:
        print(f"serves the rig {rig.name}")
        return
    print(f"does not serve the rig {rig.name}:")
    for problem in missing:
        print(f"  - {problem}")
    others = [name for name, file in rig_files().items() if not mismatches(found, load_rig(file))]
    if others:
        print(f"serves {', '.join(others)}: --rig {others[0]}")
        return
    topics = propose_topics(found, rig)
    state = found.topics.get(topics.get(rig.topics.joint_states, ""))
    joints = propose_joints(state.joint_names, rig) if state else {}
    changed = {one: other for one, other in {**topics, **joints}.items() if one != other}
    if changed:
        print("perhaps meant (rig: bag); a rig file with the bag's names: --skeleton")
        for one, other in changed.items():
            print(f"  {one}: {other}")

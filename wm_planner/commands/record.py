"""Record the running graph into a bag (rosbag2, mcap) that can be replayed and imported.

What is recorded: the cameras that the rig requires with their CameraInfo, joint states,
trajectories sent to the arms, plans, reports, set points, states of the executor, tasks, and
parameters of planner and models: as they are, and what is set meanwhile.
Ctrl-C finishes the bag, and so does a disk that is nearly full (exit code 2). The exit code is 1
where joints or a camera were never heard.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from wm_planner.errors import DataError

NAME = "record"
HELP = "record the running graph into a bag that can be replayed"
EXIT_INCOMPLETE = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="bag to write")
    parser.add_argument("--rig", help="name or file, instead of the configuration's")
    parser.add_argument("--config", type=Path, metavar="YAML", help="the planner's configuration")
    parser.add_argument("--duration", type=float, default=0.0, help="[s]; until Ctrl-C by default")
    parser.add_argument(
        "--compressed", action="store_true", help="cameras' <topic>/compressed, not raw pictures"
    )
    parser.add_argument(
        "--rate", type=float, default=5.0, help="below which cameras and joints are slow [Hz] (5)"
    )
    parser.add_argument(
        "--keep-free", type=float, default=500.0, metavar="MB",
        help="of the disk; with less, recording stops (500)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Record until Ctrl-C, the end of the duration, or of the disk."""
    from wm_planner.assembly import load_config
    from wm_planner.nodes.graph_session import ros_context, stay_on_this_machine
    from wm_planner.nodes.recording_session import RecordSettings, record
    from wm_planner.robot.rig_description import find_rig
    from wm_planner.settings import from_mapping

    names = ("duration", "rate", "keep_free", "compressed")
    settings = from_mapping(RecordSettings, {name: getattr(args, name) for name in names})
    rig = find_rig(args.rig or load_config(args.config).rig)
    if args.out.exists():
        raise DataError(f"{args.out} exists: choose another --out, or remove it")
    stop = threading.Event()
    # However often it is pressed: the bag is finished first.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stay_on_this_machine()
    with ros_context() as context:
        done = record(context, rig, args.out, settings, stop, lambda line: print(line, flush=True))
    count = sum(done.counts.values())
    whole = f"{args.out}: {count} messages in {done.elapsed_s:.1f} s, {done.size / 1e6:.1f} MB"
    if done.problem:
        raise DataError(f"recording stopped: {done.problem}. What was recorded is whole: {whole}")
    print(whole)
    for topic in done.never_heard:
        print(f"nothing was heard on {topic}: this bag cannot be replayed")
    return EXIT_INCOMPLETE if done.never_heard else 0

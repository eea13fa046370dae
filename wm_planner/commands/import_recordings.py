"""Bring a LeRobot v2.1 dataset of a real robot into the layout that training reads.

The rig file says what the recorded joints are called; its kinematics turn them into hand poses.
Frames are left out until --fps are left. Recordings without a video are skipped, and said.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wm_planner.errors import ConfigurationError

NAME = "import"
HELP = "make a training dataset of a real robot's recordings (LeRobot v2.1)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("source", type=Path, metavar="DIR", help="LeRobot v2.1 dataset")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to write")
    parser.add_argument("--rig", required=True, help="name or file of the robot")
    parser.add_argument(
        "--cameras", nargs="+", required=True, metavar="RIG=RECORDED",
        help="a camera of the rig and its name in the recordings, as in: head=cam_high",
    )  # fmt: skip
    parser.add_argument(
        "--episodes", nargs="+", metavar="N",
        help="numbers, or ranges as in 3-9, to take; all by default",
    )  # fmt: skip
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="N", help="numbers or ranges to leave out"
    )
    parser.add_argument("--fps", type=int, default=5, help="frames a second to keep (5)")
    parser.add_argument(
        "--phases", type=int, default=1, metavar="P",
        help="episodes to make of each recording, a recorded frame apart (1): more for training",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, nargs=2, default=(96, 128), metavar=("H", "W"),
        help="of the images, px (96 128)",
    )  # fmt: skip
    parser.add_argument(
        "--published-at", required=True, metavar="TEXT", help="where, for cards of data and models"
    )
    parser.add_argument("--licence", required=True, help="of the recordings, such as MIT")


def run(args: argparse.Namespace) -> int:
    """Import, and say what was left out."""
    from tqdm import tqdm

    from wm_planner.datasets.importing import import_recordings, with_videos
    from wm_planner.datasets.lerobot_v21 import LeRobotV21
    from wm_planner.datasets.origin import Origin
    from wm_planner.errors import UnknownNameError
    from wm_planner.robot.rig_description import find_rig
    from wm_planner.robot.robot_model import RobotModel

    rig = find_rig(args.rig)
    cameras = {}
    for text in args.cameras:
        name, _, recorded = text.partition("=")
        if name not in rig.cameras:
            raise UnknownNameError(f"camera of rig {rig.name}", name, rig.cameras)
        cameras[name] = recorded or name
    source = LeRobotV21(args.source)
    wanted = source.numbers if args.episodes is None else read_numbers(args.episodes)
    wanted = tuple(number for number in wanted if number not in read_numbers(args.without))
    there = with_videos(source, wanted, cameras)
    if not there:
        raise ConfigurationError(f"{args.source}: no episode that was asked for has its videos")
    origin = Origin(args.published_at, args.licence, there, args.phases)
    with tqdm(total=len(there), unit="recording") as bar:
        import_recordings(
            source, args.out, RobotModel(rig), cameras, tuple(args.size), args.fps, args.phases,
            origin, lambda _: bar.update(),
        )  # fmt: skip
    missing = [str(number) for number in wanted if number not in there]
    if missing:
        print(f"skipped, their videos are missing: {', '.join(missing)}")
    print(f"{args.out}: {len(there)} recordings, {len(there) * args.phases} episodes")
    return 0


def read_numbers(words: Sequence[str]) -> tuple[int, ...]:
    """Turn words such as "3" and "5-7" into 3, 5, 6, 7."""
    numbers: list[int] = []
    for word in words:
        first, _, last = word.partition("-")
        try:
            numbers += range(int(first), int(last or first) + 1)
        except ValueError:
            raise ConfigurationError(f"episodes: got {word!r}, expected 3 or 3-9") from None
    return tuple(dict.fromkeys(numbers))

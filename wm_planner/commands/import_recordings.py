"""Bring recordings of a real robot into the layout that training reads.

Sources are LeRobot datasets (v2.0, v2.1, v3.0) and bags (rosbag2 or ROS 1), several if wanted. The
rig file says what the recorded joints and topics are called; its kinematics turn joints into hand
poses. Frames are taken at --fps. What is wrong with a recording is repaired or the recording is
skipped, with a line for each; the exit code is 2 only where nothing could be used.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wm_planner.errors import ConfigurationError, DataError, UnknownNameError

if TYPE_CHECKING:
    from wm_planner.datasets.recording import Source
    from wm_planner.robot.robot_model import RobotModel

NAME = "import"
HELP = "make a training dataset of recordings: LeRobot v2.0, v2.1 and v3.0, and bags"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="dataset or bag")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--rig", required=True, help="name or file of the robot")
    parser.add_argument(
        "--cameras", nargs="+", metavar="RIG=RECORDED",
        help="a camera of the rig and its name or topic in the recordings, as in: head=cam_high; "
        "by default those that the rig requires, by its names and topics",
    )  # fmt: skip
    parser.add_argument(
        "--episodes", nargs="+", metavar="N",
        help="numbers of datasets' episodes, or ranges as in 3-9, to take; all by default",
    )  # fmt: skip
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="N", help="numbers or ranges to leave out"
    )
    parser.add_argument(
        "--split", type=float, nargs=3, metavar=("TRAIN", "VALIDATION", "TEST"),
        help="shares of the recordings, as in 0.8 0.1 0.1, which go to DIR/train, DIR/validation "
        "and DIR/test; by name, so the same command always splits the same way",
    )  # fmt: skip
    parser.add_argument("--instruction", default="", help="where a recording says none")
    parser.add_argument("--commands", metavar="TOPIC", help="commanded joint states in bags")
    parser.add_argument("--fps", type=int, default=5, help="frames a second to keep (5)")
    parser.add_argument(
        "--phases", type=int, default=1, metavar="P",
        help="episodes to make of each recording, a picture apart (1): more for training",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, nargs=2, default=(96, 128), metavar=("H", "W"),
        help="of the images, px (96 128)",
    )  # fmt: skip
    parser.add_argument(
        "--published-at", required=True, metavar="TEXT",
        help="where the recordings are from, for cards of data and models",
    )  # fmt: skip
    parser.add_argument("--licence", required=True, help="of the recordings, such as MIT")


def run(args: argparse.Namespace) -> int:
    """Import, and say what was repaired and skipped."""
    from tqdm import tqdm

    from wm_planner.datasets.importing import ImportSettings, import_recordings
    from wm_planner.robot.rig_description import find_rig
    from wm_planner.robot.robot_model import RobotModel
    from wm_planner.settings import from_mapping

    if args.out.exists():
        raise ConfigurationError(f"{args.out} exists: choose another --out, or remove it")
    names = {"fps": args.fps, "phases": args.phases}
    names |= dict(zip(("height", "width"), args.size, strict=True))
    settings = from_mapping(ImportSettings, names)
    robot = RobotModel(find_rig(args.rig))
    sources, unopened = _open(args, robot)
    # Under another name until it is whole: what is left after a crash never looks finished.
    partial = args.out.with_name(f"{args.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tqdm(unit="recording", disable=not sys.stderr.isatty()) as bar:

            def done(count: int, total: int) -> None:
                bar.total = total
                bar.update(count - bar.n)

            origin = args.published_at, args.licence
            tally = import_recordings(
                sources, partial, robot, settings, origin, args.split, bar.write, done
            )
        partial.rename(args.out)
    except OSError as error:
        raise DataError(f"{args.out} could not be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for folder, count in tally.recordings.items():
        print(f"{args.out / folder}: {count} recordings, {count * args.phases} episodes")
    used = sum(tally.recordings.values())
    print(f"used {used}, of them repaired {tally.repaired}; skipped {tally.skipped + unopened}")
    return 0


def _open(args: argparse.Namespace, robot: RobotModel) -> tuple[list[Source], int]:
    """Open all sources; those that cannot be opened are named, left out and counted."""
    from wm_planner.datasets.lerobot_source import LeRobotSource
    from wm_planner.replay.bag_source import BagSource

    cameras = _cameras(args.cameras, robot)
    wanted = None if args.episodes is None else set(read_numbers(args.episodes))
    without = set(read_numbers(args.without))
    sources: list[Source] = []
    for path in args.sources:
        try:
            if _is_bag(path):
                # Names without a slash are those of other sources' cameras.
                topics = {n: t if t.startswith("/") else "" for n, t in cameras.items()}
                sources.append(BagSource(path, robot, topics, args.instruction, args.commands))
            else:
                recorded = {name: there or name for name, there in cameras.items()}
                sources.append(
                    LeRobotSource(path, robot, recorded, args.instruction, wanted, without)
                )
        except (DataError, UnknownNameError) as error:
            print(f"skipped: {path}: {error}")
    if not sources:
        raise DataError("nothing could be used: no source could be opened")
    return sources, len(args.sources) - len(sources)


def _is_bag(path: Path) -> bool:
    from wm_planner.replay.bag import STORAGES

    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    if path.is_file():
        return True
    return (path / "metadata.yaml").exists() or any(f.suffix in STORAGES for f in path.iterdir())


def _cameras(words: Sequence[str] | None, robot: RobotModel) -> dict[str, str]:
    """Name in the rig to name in the recordings, empty where that is not said."""
    rig = robot.rig
    if words is None:
        return {name: "" for name, camera in rig.cameras.items() if camera.required}
    cameras = {}
    for text in words:
        name, _, recorded = text.partition("=")
        if name not in rig.cameras:
            raise UnknownNameError(f"camera of rig {rig.name}", name, rig.cameras)
        cameras[name] = recorded
    return cameras


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

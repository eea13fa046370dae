"""Turn episodes of a dataset back into bags, one each: DIR/episode_000003 and so on.

A bag holds pictures in the rig's sizes, CameraInfo, joint states, set points and what was asked
for: `wm-planner replay`, `inspect` and `import` take it. Set points are found by inverse
kinematics; how far they are from the recorded commands is printed.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from wm_planner.errors import ConfigurationError, DataError

NAME = "export-bag"
HELP = "write episodes of a dataset as bags that can be replayed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("data", type=Path, metavar="DATASET", help="of collect or import")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the bags")
    parser.add_argument(
        "--episodes", nargs="+", metavar="N", help="numbers, or ranges as in 3-9; all by default"
    )
    parser.add_argument("--rig", help="name or file of the robot; the dataset's by default")


def run(args: argparse.Namespace) -> int:
    """Write the bags."""
    from wm_planner.commands.import_recordings import read_numbers
    from wm_planner.datasets.lerobot_reader import LeRobotDataset
    from wm_planner.replay.episode_bag import write_episode
    from wm_planner.robot.rig_description import find_rig
    from wm_planner.robot.robot_model import RobotModel

    data = LeRobotDataset(args.data)
    robot = RobotModel(find_rig(args.rig or data.robot_type))
    wanted = range(len(data)) if args.episodes is None else read_numbers(args.episodes)
    folders = {episode: args.out / f"episode_{episode:06d}" for episode in wanted}
    for folder in folders.values():
        if folder.exists():
            raise ConfigurationError(f"{folder} exists: choose another --out, or remove it")
    for episode, folder in folders.items():
        # Under another name until it is whole: what is left after a crash never looks finished.
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            written = write_episode(data, episode, robot, partial / folder.name)
            (partial / folder.name).rename(folder)
        except OSError as error:
            raise DataError(f"{folder} could not be written: {error.strerror}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        print(
            f"{folder}: {written.frames} frames, set points within "
            f"{written.position_error * 1e3:.2f} mm and {written.rotation_error * 1e3:.2f} mrad"
        )
    return 0

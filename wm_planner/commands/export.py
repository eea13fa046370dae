"""Turn a finished training run into the two bundles that the planner loads.

ONNX Runtime's answers are compared with torch's before anything is written.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from wm_planner.commands.train import open_run
from wm_planner.errors import ConfigurationError

NAME = "export"
HELP = "write a training run's model bundles (needs the [train] extra)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, nargs="+", metavar="DIR", help="as for train"
    )
    parser.add_argument(
        "--run", type=Path, required=True, metavar="DIR", help="training run", dest="run_folder"
    )
    parser.add_argument(
        "--held-out", type=Path, metavar="DIR", help="dataset of other seeds, to measure on"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR",
        help="folder that receives world_model/ and inverse_dynamics/",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    if not (args.run_folder / "run.json").exists():
        raise ConfigurationError(f"--run {args.run_folder}: no training run there (run.json)")
    training_run = open_run(args.data, args.run_folder)
    from wm_planner.datasets.lerobot_reader import LeRobotDataset
    from wm_planner.training.bundles import export_run
    from wm_planner.training.source import EpisodeSource

    held_out = None
    if args.held_out:
        camera = training_run.settings.camera
        held_out = EpisodeSource.from_dataset(LeRobotDataset(args.held_out), camera)
    figures = export_run(training_run, args.out, held_out)
    print(json.dumps(figures, indent=2))
    return 0

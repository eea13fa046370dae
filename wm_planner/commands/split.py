"""Split a dataset into training, validation and test sets, by episode.

Episodes that were made of one recording go to the same set. Which one is decided by a hash of the
recording's name, so the same command always splits the same way. Pictures are encoded once more;
`wm-planner import --split` splits without that. DATASET is left as it is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from wm_planner.errors import ConfigurationError, DataError

NAME = "split"
HELP = "split a dataset into train, validation and test, by episode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("data", type=Path, metavar="DATASET", help="of collect or import")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--shares", type=float, nargs=3, metavar=("TRAIN", "VALIDATION", "TEST"),
        default=(0.8, 0.1, 0.1),
        help="of the recordings, to DIR/train, DIR/validation and DIR/test (0.8 0.1 0.1)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Write the datasets."""
    from tqdm import tqdm

    from wm_planner.datasets.lerobot_reader import LeRobotDataset
    from wm_planner.datasets.splitting import split_dataset

    if args.out.exists():
        raise ConfigurationError(f"{args.out} exists: choose another --out, or remove it")
    data = LeRobotDataset(args.data)
    # Under another name until it is whole: what is left after a crash never looks finished.
    partial = args.out.with_name(f"{args.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tqdm(total=len(data), unit="episode", disable=not sys.stderr.isatty()) as bar:
            counts = split_dataset(data, partial, args.shares, bar.update)
        partial.rename(args.out)
    except OSError as error:
        raise DataError(f"{args.out} could not be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for name, count in counts.items():
        print(f"{args.out / name}: {count} recordings")
    return 0

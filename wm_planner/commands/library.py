"""Make a library of demonstrated hand trajectories for the DTW filter.

Takes successful scripted episodes of datasets that `wm-planner collect` made. Every fifth episode
of a task is held out to calibrate how far from the library is still usual.
"""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "library"
HELP = "make a library of demonstrations for the DTW filter"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="DIR", help="dataset folders"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="steps, windows (of a task), false_rejections, band (steps), seed",
    )


def run(args: argparse.Namespace) -> int:
    import yaml

    from wm_planner.datasets.atomic_file import renamed
    from wm_planner.datasets.demonstrations import LibrarySettings, make_library
    from wm_planner.datasets.lerobot_reader import LeRobotDataset
    from wm_planner.filters.dtw.demonstration_library import ANY_TASK
    from wm_planner.settings import from_mapping

    values = dict(word.partition("=")[::2] for word in args.set)
    settings = from_mapping(
        LibrarySettings, {name: yaml.safe_load(text) for name, text in values.items()}
    )
    library = make_library([LeRobotDataset(folder) for folder in args.data], settings)
    with renamed(args.out) as partial:
        library.save(partial)
    print(f"{args.out}: {len(library.task)} windows of {settings.steps} steps")
    print(f"{'task':12s} {'windows':>8s} {'held out':>8s} {'limit (m)':>10s}")
    for task, limit in library.card.limit.items():
        count = (library.task == task).sum() if task != ANY_TASK else len(library.task)
        held_out = library.card.held_out[task]
        print(f"{task or 'all':12s} {count:8d} {held_out:8d} {limit:10.4f}")
    return 0

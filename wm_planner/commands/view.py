"""Make the reference of a camera's view, or compare pictures with it.

With --data: the median of many frames of a dataset, in which whatever moves disappears. Name it in
the rig file (view: FILE, beside the camera's calibration), and frames are brought to that view
before the models see them: a camera that was knocked, or another lamp, matters less.

With PICTUREs, such as screenshots of the camera's topic: says for each by how much camera and light
differ from the rig file's view. Exit code 1 where one is not recognized.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_planner.errors import ConfigurationError

NAME = "view"
HELP = "make the reference of a camera's view, or compare pictures with it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURE", help="to compare")
    parser.add_argument(
        "--data", type=Path, nargs="+", metavar="DIR", help="datasets to make a reference of"
    )
    parser.add_argument("--camera", default="head", help="of the dataset (head)")
    parser.add_argument(
        "--frames", type=int, default=600, metavar="N", help="spread over the datasets (600)"
    )
    parser.add_argument("--out", type=Path, metavar="PNG", help="reference to write, with --data")
    parser.add_argument(
        "--config", type=Path, metavar="YAML", help="names rig and models (the shipped one)"
    )


def run(args: argparse.Namespace) -> int:
    """Make, or compare."""
    if bool(args.data) == bool(args.pictures) or bool(args.data) != bool(args.out):
        raise ConfigurationError("view: give --data and --out, or pictures")
    return _make(args) if args.data else _compare(args)


def _make(args: argparse.Namespace) -> int:
    import numpy as np
    from PIL import Image

    from wm_planner.datasets.atomic_file import renamed
    from wm_planner.datasets.lerobot_reader import LeRobotDataset

    if args.frames < 1:
        raise ConfigurationError(f"--frames: got {args.frames}, expected at least 1")
    films = [LeRobotDataset(folder).frames(args.camera) for folder in args.data]
    each = -(-args.frames // len(films))
    chosen = [film[np.unique(np.linspace(0, len(film) - 1, each).astype(int))] for film in films]
    median = np.median(np.concatenate(chosen), axis=0).astype(np.uint8)
    with renamed(args.out) as partial:
        Image.fromarray(median).save(partial, format="PNG")
    print(f"{args.out}: {median.shape[0]}x{median.shape[1]} px, of {sum(map(len, chosen))} frames")
    return 0


def _compare(args: argparse.Namespace) -> int:
    from dataclasses import replace

    import numpy as np
    from PIL import Image

    from wm_planner import images
    from wm_planner.assembly import load_bundles, load_config
    from wm_planner.bundle import WORLD_MODEL
    from wm_planner.observing.known_view import open_view
    from wm_planner.robot.rig_description import find_rig

    config = load_config(args.config)
    rig = find_rig(config.rig)
    (camera,) = load_bundles(config, rig)[WORLD_MODEL].manifest.cameras
    view = open_view(replace(config.view, correct=True), rig, camera)  # whoever asks wants to know
    if view is None:
        raise ConfigurationError(f"rig {rig.name}: camera {camera} has no view in the rig file")
    known = True
    for path in args.pictures:
        try:
            frame = np.asarray(Image.open(path).convert("RGB"))
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read as a picture ({error})") from error
        size = rig.cameras[camera].height, rig.cameras[camera].width
        view.corrected(images.fit(frame, *size))
        known &= view.recognized
        print(f"{path}: {str(view) or 'as the models know it'}; {view.measured}")
    return 0 if known else 1

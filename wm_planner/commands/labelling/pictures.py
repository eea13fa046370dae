"""Labels turned back into pictures, for training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wm_planner import images
from wm_planner.commands.labelling.futures import Run, read_reference
from wm_planner.commands.labelling.label_file import LabelFile
from wm_planner.commands.labelling.runs import Decode, open_run
from wm_planner.errors import DataError

LAST = 32  # pictures of a future that training may look at


def labelled_pictures(
    files: Sequence[Path], camera: str, camera_topic: str, size: tuple[int, int], decode: Decode
) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Return better pictures, worse pictures (n, h, w, 3) and instruction of every answered pair.

    Args:
        files: of labels.
        camera: that datasets are seen through.
        camera_topic: the same in bags.
        size: height and width of the pictures that training wants, px.
        decode: of dreams.
    """
    runs: dict[Path, Run] = {}
    found = []
    for path in files:
        if not path.exists():
            raise DataError(f"--labels {path}: no such file")
        for number, line in enumerate(LabelFile(path).lines, 1):
            if "better" not in line:
                continue
            sides = []
            for name in ("better", "worse"):
                run, what, episode, at = read_reference(line[name], f"{path}, line {number}")
                folder = (path.parent / run).resolve()
                if folder not in runs:
                    runs[folder] = open_run(folder, camera, camera_topic, decode)
                pictures = runs[folder].pictures(what, episode, at)
                if not len(pictures):
                    raise DataError(f"{path}, line {number}: {name} has no frames {at}")
                sides.append(images.fit(pictures[-LAST:], *size))
            found.append((sides[0], sides[1], str(line["instruction"])))
    return found

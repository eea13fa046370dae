"""The worst moments of a replay as picture strips: what was dreamed above what came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wm_planner import images
from wm_planner.assembly import Stack
from wm_planner.replay.foresight import Foresight
from wm_planner.replay.result import ResultBuilder

SHOWN = 8  # steps of a dream, evenly chosen
GAP = 4  # px between pictures


def write_moments(folder: Path, result: ResultBuilder, stack: Stack) -> list[dict[str, Any]]:
    """Write a PNG for each of the worst plans; returns what is needed to show them.

    A plan that is among the worst in both ways is shown once.
    """
    moments: list[dict[str, Any]] = []
    shown: dict[int, dict[str, Any]] = {}
    for kind in ("dream", "path"):
        for rank, foresight in enumerate(result.worst(kind)):
            if foresight.stamp_ns in shown:
                shown[foresight.stamp_ns]["kinds"].append(kind)
                continue
            name = f"worst_{kind}_{rank + 1}.png"
            steps = strip_steps(foresight)
            strip(foresight, steps, stack).save(folder / name)
            moments.append(
                {
                    "kinds": [kind],
                    "picture": name,
                    "steps": [int(step) + 1 for step in steps],
                    "step_s": foresight.step_s,
                    "plan_id": foresight.plan_id,
                    "seconds": (foresight.stamp_ns - result.begin_ns) * 1e-9,
                    "dream_error": max(foresight.dream_error, default=None),
                    "dtw": foresight.dtw,
                    "dtw_standing": foresight.dtw_standing,
                    "planned": foresight.planned.tolist(),
                    "recorded": foresight.recorded.tolist(),
                    "alignment": foresight.alignment,
                }
            )
            shown[foresight.stamp_ns] = moments[-1]
    return moments


def strip_steps(foresight: Foresight) -> np.ndarray:
    """Return which rows of a dream are shown, evenly chosen from the first to the last."""
    return np.unique(np.linspace(0, foresight.steps - 1, SHOWN).round().astype(int))


def strip(foresight: Foresight, steps: np.ndarray, stack: Stack) -> Image.Image:
    """Return two rows of pictures, the dream's above the camera's; black where no frame came."""
    dreamed = stack.world_model.decode(foresight.dream[steps].astype(np.float32), foresight.scene)
    _, height, width, _ = dreamed.shape
    across = len(steps) * (width + GAP) - GAP
    page = np.full((2 * height + GAP, across, 3), 255, np.uint8)
    for place, step in enumerate(steps):
        columns = slice(place * (width + GAP), place * (width + GAP) + width)
        page[:height, columns] = dreamed[place]
        frame = foresight.frames[step]
        came = np.zeros((height, width, 3), np.uint8)
        page[height + GAP :, columns] = (
            came if frame is None else images.fit(frame[None], height, width)[0]
        )
    return Image.fromarray(page)

"""How much nearer dreamed paths are to the commands than paths that need no model, by recording.

Windows of one recording show one scene and one motion, so it is recordings that are drawn from:
each counts the same, and intervals are bootstraps over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wm_planner import actions
from wm_planner.open_loop.hand_errors import path_distance_mm
from wm_planner.open_loop.intervals import CONFIDENCE, mean_interval
from wm_planner.open_loop.windows import Windows
from wm_planner.types import HANDS

DREAMED, STILL, GOING_ON = "free dreams", "standing still", "going on as before"
COPIED = "commands read off the last frame, copied"
LISTED = 20  # recordings in the table; the JSON has all


def paths_without_dreams(windows: Windows) -> dict[str, np.ndarray]:
    """Return positions that need no model, by name, each (B, H, 2, 3), m.

    Hands that stay where they were measured, and hands that repeat their last measured step.
    """
    now = actions.unpack(windows.hand_pose).position
    step = now - actions.unpack(windows.pose_before).position
    steps = np.arange(1, windows.horizon + 1)[:, None, None]
    return {
        STILL: np.repeat(now[:, None], windows.horizon, axis=1),
        GOING_ON: now[:, None] + steps * step[:, None],
    }


def recording_margins(
    windows: Windows,
    dreamed: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    recording: np.ndarray,
    names: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """Compare paths with the commanded ones by dynamic time warping.

    Args:
        windows: B windows.
        dreamed: positions read off free dreams, shape (B, H, 2, 3), m.
        baselines: the same of something else, by name.
        recording: of each window, shape (B,), numbers into ``names``.
        names: what the recordings are called.
        seed: of the bootstrap.

    Returns:
        By hand: `recordings` (by name their `windows` and each path's mean distance), the means
        over recordings in `mean`, and in `nearer` by baseline the `margin` by which dreams are
        nearer and its `interval`; all in mm. Empty for no windows.
    """
    if not len(windows):
        return {}
    truth = actions.unpack(windows.targets).position
    paths = {DREAMED: dreamed, **baselines}
    return {
        hand: _of_hand(
            {
                name: np.array([
                    path_distance_mm(got, wanted)
                    for got, wanted in zip(path[:, :, side], truth[:, :, side], strict=True)
                ])
                for name, path in paths.items()
            },
            recording, names, seed,
        )
        for side, hand in enumerate(HANDS)
    }  # fmt: skip


def _of_hand(
    distances: Mapping[str, np.ndarray], recording: np.ndarray, names: Sequence[str], seed: int
) -> dict[str, Any]:
    there = np.unique(recording)
    by_recording = {
        path: np.array([values[recording == number].mean() for number in there])
        for path, values in distances.items()
    }
    nearer = {
        path: values - by_recording[DREAMED]
        for path, values in by_recording.items()
        if path != DREAMED
    }
    return {
        "recordings": {
            names[number]: {
                "windows": int((recording == number).sum()),
                **{path: float(values[row]) for path, values in by_recording.items()},
            }
            for row, number in enumerate(there)
        },
        "mean": {path: float(values.mean()) for path, values in by_recording.items()},
        "nearer": {
            path: {"margin": float(values.mean()), "interval": mean_interval(values, seed)}
            for path, values in nearer.items()
        },
    }


def margins_table(margins: Mapping[str, Any]) -> str:
    """Return Markdown: a table a hand, recordings in rows where they are not too many."""
    tables = []
    for hand, found in margins.items():
        paths, recordings = list(found["mean"]), found["recordings"]
        rows = [
            [f"path of the {hand} hand, DTW to the commands, mm", "windows", *paths],
            ["---", *["---:"] * (1 + len(paths))],
        ]
        if len(recordings) <= LISTED:
            rows += [
                [name, str(one["windows"]), *(f"{one[path]:.1f}" for path in paths)]
                for name, one in recordings.items()
            ]
        total = sum(one["windows"] for one in recordings.values())
        means = (f"{found['mean'][path]:.1f}" for path in paths)
        rows.append([f"**mean of {len(recordings)} recordings**", str(total), *means])
        nearer = (_told(found["nearer"].get(path)) for path in paths)
        rows.append([f"dreams are nearer by, {CONFIDENCE:.0%} interval", "", *nearer])
        tables.append("".join(f"| {' | '.join(row)} |\n" for row in rows))
    return "\n".join(tables)


def _told(nearer: Mapping[str, Any] | None) -> str:
    if nearer is None:
        return ""
    low, high = nearer["interval"] or (None, None)
    interval = "one recording" if low is None else f"{low:.1f} to {high:.1f}"
    return f"{nearer['margin']:.1f} ({interval})"

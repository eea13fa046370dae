"""What inverse dynamics reads off frames, hand by hand, and how sure it says it is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wm_planner import actions
from wm_planner.open_loop.calibration import LEVELS, coverage, miscalibration
from wm_planner.open_loop.figures import HIGHER, LOWER, Figure
from wm_planner.open_loop.hand_errors import ERRORS, path_distance_mm
from wm_planner.open_loop.inversion import Inverted, commanded, standing_still
from wm_planner.open_loop.windows import Windows
from wm_planner.types import HANDS, HandPoses

FAMILY, PATHS, CALIBRATION = "Commands read off frames", "Paths of the hands", "Stated certainty"
NAMES = {"mm": ("position", "mm"), "deg": ("rotation", "degrees"), "width_mm": ("width", "mm")}
STILL = "standing still"
PARTS = {  # of the 20-D action
    "positions": [*range(3), *range(10, 13)],
    "rotation columns": [*range(3, 9), *range(13, 19)],
    "widths": [9, 19],
}
NOMINAL = 0.9


def command_figures(
    windows: Windows, read: Mapping[str, HandPoses], chosen: Mapping[str, np.ndarray]
) -> list[Figure]:
    """Compare commands with those that were given.

    Args:
        windows: B windows.
        read: targets by the name of what they were read off, leading axes (B, H).
        chosen: which windows count for each, shape (B,), bool.
    """
    truth, still = actions.unpack(windows.targets), standing_still(windows)
    figures = []
    for source, targets in read.items():
        rows = np.flatnonzero(chosen[source])
        if not len(rows):
            continue
        for key, error in ERRORS.items():
            what, unit = NAMES[key]
            got = error(targets[rows], truth[rows])  # (B, H, 2)
            rest = error(still[rows], truth[rows])
            for side, hand in enumerate(HANDS):
                figures.append(
                    Figure(
                        FAMILY, f"{source}, {hand} {what}", unit, float(got[..., side].mean()),
                        LOWER, got[..., side].size, {STILL: float(rest[..., side].mean())},
                    )
                )  # fmt: skip
        figures.append(_open_or_closed(source, targets[rows], still[rows], truth[rows]))
    return figures


def _open_or_closed(source: str, targets: HandPoses, still: HandPoses, truth: HandPoses) -> Figure:
    """Compare on which side of half the widest width that was commanded grippers are told to be."""
    half = truth.width.max() / 2

    def right(poses: HandPoses) -> float:
        return 100 * float(((poses.width > half) == (truth.width > half)).mean())

    return Figure(
        FAMILY, f"{source}, open or closed", "% right", right(targets), HIGHER, truth.width.size,
        {STILL: right(still)},
    )  # fmt: skip


def averaging_figures(
    windows: Windows, source: str, averaged: HandPoses, once: HandPoses, draws: int
) -> list[Figure]:
    """Compare answers averaged over draws of latent noise with single ones, over both hands."""
    truth = actions.unpack(windows.targets)
    return [
        Figure(
            FAMILY, f"{source}, {NAMES[key][0]}, averaged over {draws} noise draws", NAMES[key][1],
            float(error(averaged, truth).mean()), LOWER, int(np.prod(truth.width.shape)),
            {"no averaging": float(error(once, truth).mean())},
        )
        for key, error in ERRORS.items()
    ]  # fmt: skip


def path_figures(
    windows: Windows, read: Mapping[str, HandPoses], chosen: Mapping[str, np.ndarray]
) -> list[Figure]:
    """Compare whole paths of each hand, which may be early or late; see `command_figures`."""
    truth, still = actions.unpack(windows.targets), standing_still(windows)
    figures = []
    for source, targets in read.items():
        rows = np.flatnonzero(chosen[source])
        if not len(rows):
            continue
        apart = np.square(targets.position[rows] - truth.position[rows]).sum(axis=-1).mean(axis=1)
        for side, hand in enumerate(HANDS):
            got, rest = (
                np.mean([
                    path_distance_mm(poses.position[b, :, side], truth.position[b, :, side])
                    for b in rows
                ])
                for poses in (targets, still)
            )  # fmt: skip
            figures.append(
                Figure(
                    PATHS, f"{source}, {hand} DTW distance", "mm", float(got), LOWER, len(rows),
                    {
                        STILL: float(rest),
                        "without warping": float(1e3 * np.sqrt(apart[:, side]).mean()),
                    },
                )
            )  # fmt: skip
    return figures


def calibration_figures(
    windows: Windows, inverted: Mapping[str, Inverted]
) -> tuple[list[Figure], dict[str, dict[str, np.ndarray]]]:
    """Compare errors of the relative actions with the variances that are stated for them.

    Returns:
        The figures, and coverage by `LEVELS` by what was read and part of the action.
    """
    truth = commanded(windows)
    figures = []
    curves: dict[str, dict[str, np.ndarray]] = {}
    nominal = int(np.abs(LEVELS - NOMINAL).argmin())
    for source, answer in inverted.items():
        for part, columns in PARTS.items():
            error = (answer.actions - truth)[..., columns]
            stated = coverage(error, answer.variance[..., columns])
            same = coverage(error, np.full_like(error, np.square(error).mean()))
            curves.setdefault(source, {})[part] = stated
            figures += [
                Figure(
                    CALIBRATION, f"{source}, {part}, within the stated {NOMINAL:.0%} interval", "%",
                    100 * float(stated[nominal]), 100 * NOMINAL, error.size,
                    {"one interval for all": 100 * float(same[nominal])},
                ),
                Figure(
                    CALIBRATION, f"{source}, {part}, mean distance from calibration", "%",
                    100 * miscalibration(stated), LOWER, error.size,
                    {"one interval for all": 100 * miscalibration(same)},
                ),
            ]  # fmt: skip
    return figures, curves

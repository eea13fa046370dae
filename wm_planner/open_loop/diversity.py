"""Whether free dreams of one window differ as much as the future is open."""

from __future__ import annotations

import numpy as np

from wm_planner.open_loop.figures import LOWER, Figure
from wm_planner.open_loop.spread import spread_and_error

FAMILY = "Diversity of free dreams"


def diversity_figures(
    free: np.ndarray, real: np.ndarray, positions: np.ndarray, targets: np.ndarray
) -> list[Figure]:
    """Compare spread with error; a ratio of 1 is ideal, less is too sure.

    Args:
        free: latents of free dreams, (B, K, H, ...).
        real: of what came, (B, H, ...).
        positions: hand positions read off the dreams, (B, K, H, 2, 3), m.
        targets: those commanded, (B, H, 2, 3), m.
    """
    figures = []
    for what, samples, truth in (("latents", free, real), ("hand positions", positions, targets)):
        spread, error = spread_and_error(samples, truth)
        figures.append(
            Figure(
                FAMILY, f"spread over error, {what}", "", spread / error, 1.0, len(free),
                {"one dream repeated": 0.0},
            )
        )  # fmt: skip
    end, truth = 1e3 * positions[:, :, -1], 1e3 * targets[:, -1]
    spread, error = spread_and_error(end, truth)
    single = float(np.sqrt(np.square(end[:, 0] - truth).mean()))
    figures.append(
        Figure(
            FAMILY, "mean of the dreams, hands at the end, root mean square per axis", "mm", error,
            LOWER, len(free), {"a single dream": single, "spread": spread},
        )
    )  # fmt: skip
    return figures

"""How much nearer plans are to what was done than plans that need no model, over several bags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wm_planner.open_loop.intervals import mean_interval
from wm_planner.replay.many import Result
from wm_planner.types import HANDS

MEASURED, COMMANDED = "dtw", "command_dtw"
BASELINES = {"standing": "standing still", "copying": "going on as before"}


def path_margins(
    results: Sequence[Result], against: str = MEASURED, seed: int = 0
) -> dict[str, Any]:
    """Compare paths by dynamic time warping, hand by hand; every bag counts the same.

    Args:
        results: of bags; those that failed or were not planned on are left out, and those that do
            not say what was commanded, where that is compared.
        against: MEASURED, what the hands did, or COMMANDED, what they were told.
        seed: of the bootstrap over bags.

    Returns:
        By hand: how many `bags`, the mean distance `planned`, and by baseline its `mean`, the
        `margin` by which plans are nearer than it and the `interval` of that, all in m.
    """
    means = [found for result in results if (found := _means(result, against)) is not None]
    if not means:
        return {}
    return {
        hand: {
            "bags": len(means),
            "planned": float(np.mean([one[against][side] for one in means])),
            "baselines": {
                name: _margin(
                    np.array([one[against][side] for one in means]),
                    np.array([one[f"{against}_{key}"][side] for one in means]),
                    seed,
                )
                for key, name in BASELINES.items()
            },
        }
        for side, hand in enumerate(HANDS)
    }


def _means(result: Result, against: str) -> dict[str, np.ndarray] | None:
    """Mean distances of one bag, each (2,); None where no plan was followed by a recording."""
    found = [
        cycle["foresight"]
        for cycle in result.get("cycles", ())
        if cycle.get("foresight", {}).get(against) is not None
    ]
    if "error" in result or not found:
        return None
    keys = (against, *(f"{against}_{key}" for key in BASELINES))
    return {key: np.mean([one[key] for one in found], axis=0) for key in keys}


def _margin(planned: np.ndarray, baseline: np.ndarray, seed: int) -> dict[str, Any]:
    nearer = baseline - planned
    return {
        "mean": float(baseline.mean()),
        "margin": float(nearer.mean()),
        "interval": mean_interval(nearer, seed),
    }

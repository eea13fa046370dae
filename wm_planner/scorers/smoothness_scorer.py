"""Prefers candidates whose hands move evenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Scores


@dataclass(frozen=True)
class SmoothnessScorerSettings:
    """How much unevenness counts."""

    weight: float = setting(
        0.1, unit="s^4/m^2", minimum=0.0, maximum=1000.0,
        help="Factor of the mean squared acceleration of the hands.",
    )  # fmt: skip


class SmoothnessScorer(Scorer):
    """Mean squared acceleration along both hands' paths over the whole chunk, in (m/s^2)^2.

    A chunk of one step has none and scores zero.
    """

    def __init__(self, settings: SmoothnessScorerSettings | None = None) -> None:
        self.settings = settings or SmoothnessScorerSettings()

    def score(self, context: ScoringContext) -> Scores:
        """Return minus weight times the mean squared acceleration, shape (K,)."""
        chunks = context.chunks
        count, steps = chunks.actions.shape[:2]
        hands = chunks.actions.reshape(count, steps, 2, actions.HAND_SIZE)
        acceleration = np.diff(hands[..., actions.POSITION], axis=1) / chunks.dt**2
        if steps < 2:
            return Scores("smoothness", np.zeros(count))
        square = (acceleration**2).sum(axis=-1).mean(axis=(1, 2))
        return Scores("smoothness", -self.settings.weight * square)

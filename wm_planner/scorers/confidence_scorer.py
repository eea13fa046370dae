"""Prefers candidates of whose actions inverse dynamics is sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Scores

METRES_TO_MILLIMETRES = 1e3


@dataclass(frozen=True)
class ConfidenceScorerSettings:
    """How much doubt counts."""

    weight: float = setting(
        0.01, unit="1/mm", minimum=0.0, maximum=1000.0,
        help="Factor of the stated deviation of the hands' positions.",
    )  # fmt: skip


class ConfidenceScorer(Scorer):
    """Stated deviation of the hands' positions, over the steps that will be carried out."""

    def __init__(self, settings: ConfidenceScorerSettings | None = None) -> None:
        self.settings = settings or ConfidenceScorerSettings()

    def score(self, context: ScoringContext) -> Scores:
        """Return minus weight times the root mean square deviation in mm, shape (K,)."""
        steps = context.chunks.variance[:, : context.execute_steps]  # (K, steps, 20)
        hands = steps.reshape(*steps.shape[:2], 2, actions.HAND_SIZE)[..., actions.POSITION]
        deviation = np.sqrt(hands.mean(axis=(1, 2, 3))) * METRES_TO_MILLIMETRES
        return Scores("confidence", -self.settings.weight * deviation)

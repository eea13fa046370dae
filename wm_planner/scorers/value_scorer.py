"""Prefers dreams whose last frames the world model's value head believes in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Scores


@dataclass(frozen=True)
class ValueScorerSettings:
    """How much the value counts."""

    weight: float = setting(1.0, minimum=0.0, maximum=1000.0, help="Factor of the mean value.")
    frames: int = setting(
        3, minimum=0, maximum=100, help="Last frames of a dream to average over; 0 for all."
    )


class ValueScorer(Scorer):
    """Mean value of the last frames for the instruction; zeros without one."""

    def __init__(self, settings: ValueScorerSettings | None = None) -> None:
        self.settings = settings or ValueScorerSettings()

    def score(self, context: ScoringContext) -> Scores:
        """Return weight times mean value, shape (K,)."""
        latents = context.rollouts.latents[:, -self.settings.frames :]  # (K, frames, ...)
        count, frames = latents.shape[:2]
        if context.goal.instruction is None:
            return Scores("value", np.zeros(count))
        flat = latents.reshape(count * frames, *latents.shape[2:])
        value = context.world_model.value(flat, context.goal).reshape(count, frames)
        return Scores("value", self.settings.weight * value.mean(axis=1))

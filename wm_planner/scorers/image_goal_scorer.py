"""Prefers dreams that end near the goal image, in the world model's latent space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Scores


@dataclass(frozen=True)
class ImageGoalScorerSettings:
    """How much the distance counts."""

    weight: float = setting(1.0, minimum=0.0, maximum=1000.0, help="Factor of the distance.")
    frames: int = setting(3, minimum=1, maximum=100, help="Last frames of a dream to average over.")


class ImageGoalScorer(Scorer):
    """Root mean square latent distance of the last frames to the goal; zeros without an image."""

    def __init__(self, settings: ImageGoalScorerSettings | None = None) -> None:
        self.settings = settings or ImageGoalScorerSettings()

    def score(self, context: ScoringContext) -> Scores:
        """Return minus weight times distance, shape (K,)."""
        latents = context.rollouts.latents[:, -self.settings.frames :].astype(np.float64)
        if context.goal.image is None:
            return Scores("image_goal", np.zeros(len(latents)))
        goal = context.world_model.look(context.goal.image[None])
        square = (latents - goal[:, None]) ** 2  # (K, frames, ...)
        distance = np.sqrt(square.mean(axis=tuple(range(2, square.ndim))))
        return Scores("image_goal", -self.settings.weight * distance.mean(axis=1))

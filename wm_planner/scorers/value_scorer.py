"""Prefers candidates whose futures the world model's value head believes in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Need, Scores

DREAM, RESIMULATION = FUTURES = ("dream", "resimulation")


@dataclass(frozen=True)
class ValueScorerSettings:
    """How much the value counts."""

    weight: float = setting(1.0, minimum=0.0, maximum=1000.0, help="Factor of the mean value.")
    frames: int = setting(
        3, minimum=0, maximum=100, help="Last frames of a future to average over; 0 for all."
    )
    of: str = setting(
        DREAM, choices=FUTURES,
        help="Which future: what was dreamed, or what the world model makes of its actions, which "
        "takes another dream.",
        fixed=True,
    )  # fmt: skip


class ValueScorer(Scorer):
    """Mean value of the last frames for the instruction; zeros without one."""

    def __init__(self, settings: ValueScorerSettings | None = None) -> None:
        self.settings = settings or ValueScorerSettings()
        if self.settings.of == RESIMULATION:
            self.needs = Need.ROLLOUTS

    def score(self, context: ScoringContext) -> Scores:
        """Return weight times mean value, shape (K,)."""
        rollouts = context.rollouts
        if self.settings.of == RESIMULATION:
            assert context.resimulation is not None  # as this scorer `needs`
            rollouts = context.resimulation.rollouts
        latents = rollouts.latents[:, -self.settings.frames :]  # (K, frames, ...)
        count, frames = latents.shape[:2]
        if context.goal.instruction is None:
            return Scores("value", np.zeros(count))
        flat = latents.reshape(count * frames, *latents.shape[2:])
        value = context.world_model.value(flat, context.goal).reshape(count, frames)
        return Scores("value", self.settings.weight * value.mean(axis=1))

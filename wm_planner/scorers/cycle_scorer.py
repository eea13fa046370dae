"""Prefers dreams that the world model dreams again once it is given their actions."""

from __future__ import annotations

from dataclasses import dataclass

from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Need, Scores


@dataclass(frozen=True)
class CycleScorerSettings:
    """How much doubt counts; see `Resimulation.cycle_cost`."""

    weight: float = setting(1.0, minimum=0.0, maximum=1000.0, help="Factor of the cycle cost.")
    steps: int = setting(8, minimum=1, maximum=1000, help="First steps to average over.")


class CycleScorer(Scorer):
    """Cycle cost, averaged over the first steps of a dream."""

    needs = Need.ROLLOUTS

    def __init__(self, settings: CycleScorerSettings | None = None) -> None:
        self.settings = settings or CycleScorerSettings()

    def score(self, context: ScoringContext) -> Scores:
        """Return minus weight times cost, shape (K,)."""
        assert context.resimulation is not None  # as this scorer `needs`
        cost = context.resimulation.cycle_cost[:, : self.settings.steps].mean(axis=1)
        return Scores("cycle", -self.settings.weight * cost)

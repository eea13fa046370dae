"""The cycle scorer: the less a dream is dreamed again, the lower it comes."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner import registry
from wm_planner.scorers.cycle_scorer import CycleScorer, CycleScorerSettings
from wm_planner.scorers.scorer import ScoringContext
from wm_planner.types import ActionChunks, Goal, Need, Resimulation, Rollouts

K, H = 3, 6


@pytest.fixture
def context(generator) -> ScoringContext:
    """Candidate k's simulation is k / 10 away from its dream, and far away from step 4 on."""
    dreamed = generator.normal(size=(K, H, 2, 4))
    off = np.arange(K)[:, None] / 10 + 5.0 * (np.arange(H) >= 4) * (np.arange(K) == 0)[:, None]
    newest = generator.normal(size=(2, 4))
    both = [Rollouts(x, 0.2, 0, 0, "b") for x in (dreamed, dreamed + off[..., None, None])]
    seen = Resimulation(*both, newest / newest.std())
    chunks = ActionChunks(*np.zeros((2, K, H, 20)), 0.2, 0, "b")
    return ScoringContext(both[0], chunks, Goal("lift"), None, 4, seen)


def test_it_is_registered_and_says_what_it_needs() -> None:
    assert registry.resolve("scorers", "cycle") is CycleScorer
    assert CycleScorer.needs is Need.ROLLOUTS


def test_it_takes_away_the_weighted_cost_of_the_first_steps(context) -> None:
    scores = CycleScorer(CycleScorerSettings(weight=2.0, steps=4)).score(context)
    np.testing.assert_allclose(scores.contribution, [0.0, -0.2, -0.4], atol=5e-3)
    assert CycleScorer(CycleScorerSettings(steps=6)).score(context).contribution.argmin() == 0

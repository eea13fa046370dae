"""What would have told executable candidates apart, on candidates of which that is known."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.closed_loop.executability import TriedCandidate
from wm_planner.closed_loop.executability_figures import Figures, auroc


def candidate(plan: int, number: int, gained_m: float, **changes: object) -> TriedCandidate:
    """One that is executable where its number is even; "score right" knows what it gained."""
    known = {"score right": gained_m, "error": 1.0 - number % 2, "same": 1.0}
    off = 0.001 if number % 2 == 0 else 0.1
    settings = {"chosen": False, "rejected": "", "known": known, "position_m": off}
    return TriedCandidate(
        plan, number, **{**settings, "rotation_rad": 0.0, "gained_m": gained_m, **changes}
    )


@pytest.fixture()
def figures():
    gained = np.random.default_rng(0).permutation(np.arange(32) / 100.0).reshape(4, 2, 4)
    episodes = [
        [
            candidate(p, n, float(g[p, n]), chosen=n == g[p].argmax())
            for p in (0, 1)
            for n in range(4)
        ]
        for g in gained
    ]
    return Figures(episodes, lambda c: c.executable(0.015, 0.1)), gained


def test_shares_and_counts_are_those_of_the_candidates(figures):
    found, _ = figures
    assert found.counts["plans"] == 8 and found.counts["dreams"] == found.counts["accepted"] == 32
    assert found.executable["all dreams"].value == 0.5
    assert found.names == ["score right", "error"]  # what is the same of all tells nothing


def test_what_tells_them_is_found_and_which_way_it_points(figures):
    found, _ = figures
    # Here the stated error is larger where a candidate is executable: it tells, the wrong way.
    assert found.auroc["all", "error"].value == 0.0
    assert found.correlation["score right"].value == pytest.approx(1.0)
    assert found.correlation["score, all"].value == pytest.approx(1.0)


def test_gains_are_means_over_plans(figures):
    found, gained = figures
    best = (gained.max(-1) - gained.mean(-1)).mean()
    assert found.gains["mean of the accepted"].value == pytest.approx(gained.mean())
    assert found.gains["best minus mean"].value == pytest.approx(best)
    assert found.gains["chosen minus mean"].value == pytest.approx(best)


def test_rejected_candidates_count_among_all_dreams_only():
    plan = [candidate(0, n, n / 10, rejected="velocity" if n == 1 else "") for n in range(4)]
    found = Figures([plan, plan], lambda c: c.executable(0.015, 0.1))
    assert found.executable["all dreams"].value == 0.5
    assert found.executable["accepted"].value == pytest.approx(2 / 3)
    assert found.gains["mean of the accepted"].value == pytest.approx((0.0 + 0.2 + 0.3) / 3)


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    generator = np.random.default_rng(1)
    rows = np.stack([generator.integers(0, 6, 60), generator.random(60) < 0.4], 1).astype(float)
    good, bad = rows[rows[:, 1] > 0, 0], rows[rows[:, 1] == 0, 0]
    pairs = (good[:, None] > bad) + 0.5 * (good[:, None] == bad)
    assert auroc(rows) == pytest.approx(pairs.mean())
    assert np.isnan(auroc(rows[rows[:, 1] > 0]))

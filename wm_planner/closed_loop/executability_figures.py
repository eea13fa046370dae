"""What candidates that were tried in the simulator say about what would have told them apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.stats import rankdata

from wm_planner.closed_loop.choosing import Estimate, estimate
from wm_planner.closed_loop.executability import HIGHER_IS_BETTER, TriedCandidate

RESAMPLES = 500
Episode = list[TriedCandidate]


def mean_over_plans(
    episodes: list[Episode], of_plan: Callable[[list[TriedCandidate]], float]
) -> Estimate:
    """Return the mean over plans of what is measured within each; NaN leaves a plan out."""
    values = []
    for episode in episodes:
        plans: dict[int, list[TriedCandidate]] = {}
        for one in episode:
            plans.setdefault(one.plan, []).append(one)
        values.append([x for x in map(of_plan, plans.values()) if math.isfinite(x)])

    def mean(chosen: np.ndarray) -> float:
        drawn = [x for i in chosen for x in values[i]]
        return float(np.mean(drawn)) if drawn else math.nan

    return estimate(mean, len(values), resamples=RESAMPLES)


class Figures:
    """All figures of some episodes.

    Args:
        episodes: candidates of each.
        good: whether a candidate is executable.
    """

    def __init__(self, episodes: list[Episode], good: Callable[[TriedCandidate], bool]) -> None:
        self.episodes, self.good = episodes, good
        everyone = [c for episode in episodes for c in episode]
        self.counts = {
            "episodes": len(episodes),
            "plans": len({(i, c.plan) for i, episode in enumerate(episodes) for c in episode}),
            "dreams": len(everyone),
            "accepted": sum(not c.rejected for c in everyone),
            "refused by the executor": sum(bool(c.refused) for c in everyone),
        }
        # What is the same of all candidates tells nothing.
        self.names = [n for n in everyone[0].known if len({c.known[n] for c in everyone}) > 1]
        self.executable = {
            "all dreams": self._share(lambda c: True),
            "accepted": self._share(lambda c: not c.rejected),
            "rejected": self._share(lambda c: bool(c.rejected)),
        }
        self.deviations = {
            "furthest hand from the dream, mm": self._median(lambda c: c.position_m, 1000),
            "most turned hand, degrees": self._median(lambda c: c.rotation_rad, math.degrees(1)),
            "furthest measured hand from its target, mm": self._median(lambda c: c.behind_m, 1000),
            "most turned measured hand, degrees": self._median(
                lambda c: c.behind_rad, math.degrees(1)
            ),
        }
        self.auroc = {
            (group, name): self._auroc(name, rejected_too=group == "all")
            for name in self.names
            for group in ("all", "accepted")
        }
        self.correlation = {
            name: mean_over_plans(episodes, partial(_correlation, name=name))
            for name in [*self.names, "score, all"]
        }
        self.gains = {
            "mean of the accepted": mean_over_plans(episodes, lambda p: _gain(p, np.mean)),
            "deviation among the accepted": mean_over_plans(episodes, lambda p: _gain(p, np.std)),
            "best minus mean": mean_over_plans(
                episodes, lambda p: _gain(p, lambda g: g.max() - g.mean())
            ),
            "chosen minus mean": mean_over_plans(episodes, _chosen_minus_mean),
        }

    def _median(self, of: Callable[[TriedCandidate], float | None], scale: float) -> Estimate:
        kept = [
            np.array([scale * x for c in e if not c.rejected and (x := of(c)) is not None])
            for e in self.episodes
        ]

        def median(numbers: np.ndarray) -> float:
            drawn = np.concatenate([kept[i] for i in numbers])
            return float(np.median(drawn)) if len(drawn) else math.nan

        return estimate(median, len(kept), resamples=RESAMPLES)

    def _share(self, chosen: Callable[[TriedCandidate], bool]) -> Estimate:
        kept = [np.array([self.good(c) for c in e if chosen(c)], float) for e in self.episodes]

        def share(numbers: np.ndarray) -> float:
            drawn = np.concatenate([kept[i] for i in numbers])
            return float(drawn.mean()) if len(drawn) else math.nan

        return estimate(share, len(kept), resamples=RESAMPLES)

    def _auroc(self, name: str, rejected_too: bool) -> Estimate:
        kept = [
            np.array([
                (_merit(c, name), self.good(c))
                for c in episode
                if (rejected_too or not c.rejected) and math.isfinite(c.known[name])
            ]).reshape(-1, 2)
            for episode in self.episodes
        ]  # fmt: skip
        return estimate(
            lambda numbers: auroc(np.concatenate([kept[i] for i in numbers])),
            len(kept),
            resamples=RESAMPLES,
        )


def auroc(rows: np.ndarray) -> float:
    """Return how often a good one has more merit than a bad one; rows of merit and goodness."""
    good = rows[:, 1] > 0
    count, others = int(good.sum()), int((~good).sum())
    if not count or not others:
        return math.nan
    ranks = rankdata(rows[:, 0])[good].sum()  # Mann and Whitney 1947
    return float((ranks - count * (count + 1) / 2) / (count * others))


def _merit(candidate: TriedCandidate, name: str) -> float:
    """What a quantity says for a candidate: more is better."""
    if name == "score, all":
        return sum(v for n, v in candidate.known.items() if n.startswith(HIGHER_IS_BETTER))
    value = candidate.known[name]
    return value if name.startswith(HIGHER_IS_BETTER) else -value


def _accepted(plan: list[TriedCandidate]) -> list[tuple[TriedCandidate, float]]:
    """The accepted candidates and by how much nearer to success each came, m."""
    return [(c, c.gained_m) for c in plan if not c.rejected and c.gained_m is not None]


def _correlation(plan: list[TriedCandidate], name: str) -> float:
    kept = [(_merit(c, name), gained) for c, gained in _accepted(plan)]
    rows = np.array([row for row in kept if math.isfinite(row[0])]).reshape(-1, 2)
    if len(rows) < 3 or (np.ptp(rows, axis=0) == 0).any():
        return math.nan
    return float(np.corrcoef(rankdata(rows[:, 0]), rankdata(rows[:, 1]))[0, 1])


def _gain(plan: list[TriedCandidate], statistic: Callable[[np.ndarray], float]) -> float:
    gained = np.array([gained for _, gained in _accepted(plan)])
    return float(statistic(gained)) if len(gained) > 1 else math.nan


def _chosen_minus_mean(plan: list[TriedCandidate]) -> float:
    chosen = [gained for c, gained in _accepted(plan) if c.chosen]
    return chosen[0] - _gain(plan, np.mean) if chosen else math.nan

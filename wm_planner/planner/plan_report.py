"""How a plan, or the lack of one, came about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner.planner.candidate_plan import candidate_plan
from wm_planner.planner.candidates import Candidates
from wm_planner.types import (
    ActionChunks,
    JointTrajectories,
    NoPlan,
    Plan,
    Rollouts,
    Scores,
    Verdicts,
)

NO_SCORE = "NO_SCORE"  # every filter accepted the candidate, but its score is not a number


@dataclass(frozen=True, eq=False)
class Round:
    """K candidates and what was said of them.

    Attributes:
        candidates: what was judged.
        verdicts: of all filters; a candidate that one of them rejects is out.
        scores: of all scorers.
        total_score: shape (K,), sum of the scores; NaN where rejected.
        reasons: K, why each candidate is out, "" for those that are in.
    """

    candidates: Candidates
    verdicts: tuple[Verdicts, ...]
    scores: tuple[Scores, ...]
    total_score: np.ndarray
    reasons: tuple[str, ...]

    @property
    def rejected(self) -> np.ndarray:
        """Shape (K,), bool."""
        return np.isnan(self.total_score)


@dataclass(frozen=True, eq=False)
class PlanReport:
    """A plan, or none, and everything that led to it.

    Attributes:
        plan: what was decided.
        rounds: the first batch, then what it became each time its rejected dreams were replaced,
            then what a search near the best of them ended with.
        latency_s: over all rounds, time taken by each stage, s.
    """

    plan: Plan | NoPlan
    rounds: tuple[Round, ...]
    latency_s: Mapping[str, float]

    @property
    def rejections(self) -> Counter[str]:
        """Over all rounds, dreams by the first reason against them."""
        return rejections(self.rounds)

    @property
    def rollouts(self) -> Rollouts:
        """The K dreams of the last round."""
        return self.rounds[-1].candidates.rollouts

    @property
    def chunks(self) -> ActionChunks:
        """Their actions."""
        return self.rounds[-1].candidates.chunks

    @property
    def trajectories(self) -> JointTrajectories:
        """The same in joint space."""
        return self.rounds[-1].candidates.trajectories

    @property
    def verdicts(self) -> tuple[Verdicts, ...]:
        """Of all filters, in the last round."""
        return self.rounds[-1].verdicts

    @property
    def scores(self) -> tuple[Scores, ...]:
        """Of all scorers, in the last round."""
        return self.rounds[-1].scores

    @property
    def total_score(self) -> np.ndarray:
        """Shape (K,), in the last round; NaN where rejected."""
        return self.rounds[-1].total_score

    @property
    def accepted(self) -> np.ndarray:
        """Numbers of the candidates that may be carried out."""
        return np.flatnonzero(np.isfinite(self.total_score))

    def plan_of(self, k: int) -> Plan:
        """Return candidate k, accepted or not, as a plan with the id of the one that was made."""
        plan_id = self.plan.plan_id if isinstance(self.plan, Plan) else 0
        return candidate_plan(k, plan_id, self.rounds[-1].candidates, self.verdicts)


def rejection_reasons(verdicts: Sequence[Verdicts], scores: np.ndarray) -> list[str]:
    """Return why each of K candidates is out, "" for those that are in.

    Args:
        verdicts: of all filters; the first reason against a candidate counts.
        scores: sums of the scores, shape (K,).
    """
    reasons = [""] * len(scores)
    for verdict in verdicts:
        for k in np.flatnonzero(~verdict.accepted):
            reasons[k] = reasons[k] or verdict.reason.value
    for k in np.flatnonzero(~np.isfinite(scores)):
        reasons[k] = reasons[k] or NO_SCORE
    return reasons


def rejections(rounds: Sequence[Round]) -> Counter[str]:
    """Return how many dreams were rejected in all rounds, by the first reason against them."""
    return Counter(reason for one in rounds for reason in one.reasons if reason)


def tell_rejections(rounds: Sequence[Round]) -> str:
    """Return why nothing was accepted, for a person: all reasons, and how near the nearest came."""
    counts = rejections(rounds)
    listed = ", ".join(f"{n} for {reason}" for reason, n in counts.most_common())
    told = f"all {sum(counts.values())} candidates rejected: {listed}"
    nearest = nearest_miss(rounds[-1].verdicts, rounds[-1].reasons)
    return f"{told}; the nearest, {nearest}" if nearest else told


def nearest_miss(verdicts: Sequence[Verdicts], reasons: Sequence[str]) -> str:
    """Return the sentence on the candidate that is least over the limit that most are over.

    Args:
        verdicts: of all filters.
        reasons: why each of K candidates is out, as of `rejection_reasons`.

    Returns:
        "" where no filter objects to any.
    """
    objected = Counter(reason for reason in reasons if reason not in ("", NO_SCORE))
    if not objected:
        return ""
    ((reason, _),) = objected.most_common(1)
    out = np.array(reasons) == reason
    verdict = next(
        one for one in verdicts if one.reason.value == reason and (out & ~one.accepted).any()
    )
    rows = np.flatnonzero(out & ~verdict.accepted)
    nearest = np.nan_to_num(verdict.measured[rows], nan=np.inf).argmin()
    return verdict.sentence(int(rows[nearest]))

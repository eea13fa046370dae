"""How a plan, or the lack of one, came about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner.planner.candidate_plan import candidate_plan
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
class PlanReport:
    """A plan, or none, and everything that led to it.

    Attributes:
        plan: what was decided.
        rollouts: the K dreams of the last attempt.
        chunks: their actions.
        trajectories: the same in joint space.
        verdicts: of all filters; a candidate that one of them rejects is out.
        scores: of all scorers.
        total_score: shape (K,), sum of the scores; NaN where rejected.
        attempts: batches of dreams that were tried.
        rejections: over all attempts, candidates by the first reason against them.
        latency_s: over all attempts, time taken by each stage, s.
    """

    plan: Plan | NoPlan
    rollouts: Rollouts
    chunks: ActionChunks
    trajectories: JointTrajectories
    verdicts: tuple[Verdicts, ...]
    scores: tuple[Scores, ...]
    total_score: np.ndarray
    attempts: int
    rejections: Mapping[str, int]
    latency_s: Mapping[str, float]

    @property
    def accepted(self) -> np.ndarray:
        """Numbers of the candidates that may be carried out."""
        return np.flatnonzero(np.isfinite(self.total_score))

    def plan_of(self, k: int) -> Plan:
        """Return candidate k, accepted or not, as a plan with the id of the one that was made."""
        plan_id = self.plan.plan_id if isinstance(self.plan, Plan) else 0
        return candidate_plan(
            k, plan_id, self.rollouts, self.chunks, self.trajectories, self.verdicts
        )


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


def tell_rejections(rejections: Mapping[str, int]) -> str:
    """Return a sentence for a person."""
    listed = ", ".join(f"{n} for {reason}" for reason, n in Counter(rejections).most_common())
    return f"all {sum(rejections.values())} candidates rejected: {listed}"

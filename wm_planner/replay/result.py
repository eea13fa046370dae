"""Collects what a replay decided, as plain values that JSON knows, and the hash over it."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from typing import Any

import numpy as np

from wm_planner.planner.plan_report import PlanReport, rejections
from wm_planner.replay.digest import chained, digest
from wm_planner.replay.foresight import Foresight
from wm_planner.replay.pipeline import Look
from wm_planner.types import NoPlan, Plan

DISTANCES = (
    *("dtw", "dtw_standing", "dtw_copying"),
    *("command_dtw", "command_dtw_standing", "command_dtw_copying"),
)
WORST = 3  # plans of each kind that are shown with pictures


class ResultBuilder:
    """Takes looks and foresights as they come; keeps numbers of all and pictures of the worst.

    Attributes:
        messages: in the bag.
    """

    def __init__(self) -> None:
        self.messages = 0
        self._begin_ns, self._end_ns = 0, 0
        self._hash = ""
        self._looks: list[tuple[int, float]] = []
        self._cycles: dict[int, dict[str, Any]] = {}
        self._latest_end = 0
        self._worst: dict[str, list[tuple[float, int, Foresight]]] = {"dream": [], "path": []}
        self._count = itertools.count()

    def heard(self, log_ns: int) -> None:
        """Note that the bag goes on."""
        self._begin_ns = self._begin_ns if self.messages else log_ns
        self._end_ns = max(self._end_ns, log_ns)
        self.messages += 1

    def looked(self, look: Look) -> None:
        """Take a look."""
        self._looks.append((look.stamp_ns, look.value))
        self._hash = chained(self._hash, digest([look.stamp_ns, look.done_ns, look.value]))
        if look.report is None or look.reason is None:
            return
        self._hash = chained(self._hash, digest([look.report, look.reason]))
        self._cycles[look.stamp_ns] = {
            "stamp_ns": look.stamp_ns,
            "reason": look.reason.value,
            "staleness_s": (look.done_ns - look.stamp_ns) * 1e-9,
            "value": number(look.value),
            **_told(look.report),
        }

    def foresaw(self, foresight: Foresight) -> None:
        """Take a plan's comparison with what came."""
        cycle = self._cycles.get(foresight.stamp_ns)
        if cycle is not None:
            names = ("steps", "distance", "standing", *DISTANCES)
            told = {name: getattr(foresight, name) for name in names}
            errors = {
                name: list(getattr(foresight, name)) for name in ("dream_error", "copy_error")
            }
            cycle["foresight"] = {**told, **errors}
        badness = {
            "dream": max(foresight.dream_error, default=0.0),
            "path": max(foresight.dtw),
        }
        for kind, bad in badness.items():
            # The count decides between equals, and Foresight is never compared.
            heapq.heappush(self._worst[kind], (bad, -next(self._count), foresight))
            if len(self._worst[kind]) > WORST:
                heapq.heappop(self._worst[kind])

    def worst(self, kind: str) -> list[Foresight]:
        """Return the worst plans by "dream" or "path", worst first."""
        return [foresight for _, _, foresight in sorted(self._worst[kind], reverse=True)]

    @property
    def begin_ns(self) -> int:
        """When the first message was recorded."""
        return self._begin_ns

    def built(self) -> dict[str, Any]:
        """Return everything."""
        cycles = list(self._cycles.values())
        made = [cycle for cycle in cycles if cycle["plan_id"]]
        return {
            "output_hash": self._hash,
            "messages": self.messages,
            "begin_ns": self._begin_ns,
            "duration_s": (self._end_ns - self._begin_ns) * 1e-9,
            "looks": [[stamp, number(value)] for stamp, value in self._looks],
            "planning_cycles": len(cycles),
            "plans": len(made),
            "replans": dict(Counter(cycle["reason"] for cycle in cycles).most_common()),
            "cycles": cycles,
        }


def number(value: float) -> float | None:
    """Return what JSON can hold: None for what is not finite."""
    return float(value) if math.isfinite(value) else None


def numbers(values: np.ndarray) -> list[float | None]:
    """Return a list of them."""
    return [number(float(value)) for value in np.ravel(values)]


def _told(report: PlanReport) -> dict[str, Any]:
    """One planning cycle in plain values; `parts` holds a hash for each stage's outcome.

    What is `against` candidates, and all parts but the last two, are of the first batch, which two
    configurations may have in common; verdicts and scores are of the last round.
    """
    plan, total, first = report.plan, report.total_score, report.rounds[0]
    return {
        "plan_id": plan.plan_id if isinstance(plan, Plan) else 0,
        "chosen": plan.candidate if isinstance(plan, Plan) else -1,
        "no_plan_reason": plan.reason if isinstance(plan, NoPlan) else "",
        "candidates": len(total),
        "rejections": dict(sorted(report.rejections.items())),
        "against": list(first.reasons),
        "rounds": [dict(sorted(rejections([one]).items())) for one in report.rounds],
        "total_score": numbers(total),
        "scores": {one.scorer: numbers(one.contribution) for one in report.scores},
        "verdicts": [
            {
                "filter": one.filter,
                "reason": one.reason.value,
                "unit": one.unit,
                "limit": number(one.limit),
                "measured": numbers(one.measured),
                "accepted": [bool(value) for value in one.accepted],
            }
            for one in report.verdicts
        ],
        "latency_s": {stage: float(seconds) for stage, seconds in report.latency_s.items()},
        "parts": {
            "dreams": digest(first.candidates.rollouts),
            "actions": digest(first.candidates.chunks),
            "trajectories": digest(first.candidates.trajectories),
            "verdicts": digest(first.verdicts),
            "scores": digest([first.scores, first.total_score]),
            "regeneration": digest(report.rounds[1:]),
            "choice": plan.candidate if isinstance(plan, Plan) else -1,
        },
    }

"""Two configurations on the same bags: where they part, which candidates change sides, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wm_planner.open_loop.intervals import mean_interval
from wm_planner.replay.many import Result

STAGES = ("dreams", "actions", "trajectories", "verdicts", "scores", "regeneration", "choice")


def compare(first: Sequence[Result], second: Sequence[Result], seed: int = 0) -> dict[str, Any]:
    """Compare results of the same bags in the same order.

    A candidate flips where both configurations judged the same dream in the first round and only
    one accepted it. A decision flips where only one made a plan of a frame.

    Args:
        first: what is compared with.
        second: what is new.
        seed: of the bootstrap.

    Returns:
        What `report.json` says under `comparison`.
    """
    pairs = [
        (one, other)
        for one, other in zip(first, second, strict=True)
        if "error" not in one and "error" not in other
    ]
    flips = {"rejected": Counter[str](), "accepted": Counter[str]()}
    decisions = {"no_plan": Counter[str](), "plan": Counter[str]()}
    cycles = comparable = choices = 0
    divergence = None
    for one, other in pairs:
        divergence = divergence or _divergence(one, other)
        for before, after in _same_frames(one, other):
            cycles += 1
            _count_decision(before, after, decisions)
            if before["parts"]["dreams"] == after["parts"]["dreams"]:
                comparable += 1
                choices += before["chosen"] != after["chosen"]
                _count_flips(before["against"], after["against"], flips)
    return {
        "bags": len(pairs),
        "first_divergence": divergence,
        "cycles_compared": cycles,
        "cycles_with_the_same_dreams": comparable,
        "choices_changed": choices,
        "flips": {name: dict(counts.most_common()) for name, counts in flips.items()},
        "decisions": {name: dict(counts.most_common()) for name, counts in decisions.items()},
        "metrics": {
            name: _difference([measure(a) for a, _ in pairs], [measure(b) for _, b in pairs], seed)
            for name, measure in METRICS.items()
        },
        "same": divergence is None and len(pairs) == len(first),
    }


def _same_frames(one: Result, other: Result) -> Iterator[tuple[dict, dict]]:
    later = {cycle["stamp_ns"]: cycle for cycle in other["cycles"]}
    for cycle in one["cycles"]:
        if cycle["stamp_ns"] in later:
            yield cycle, later[cycle["stamp_ns"]]


def _divergence(one: Result, other: Result) -> dict[str, Any] | None:
    """Return the first frame on which both do not decide the same, and in which stage."""
    stages = {c["stamp_ns"]: [c["parts"], None] for c in one["cycles"]}
    for cycle in other["cycles"]:
        stages.setdefault(cycle["stamp_ns"], [None, None])[1] = cycle["parts"]
    for stamp in sorted(stages):
        before, after = stages[stamp]
        at = {"bag": one["bag"], "stamp_ns": stamp, "seconds": (stamp - one["begin_ns"]) * 1e-9}
        if before is None or after is None:
            which = "new" if before is None else "old"
            says = f"only the {which} configuration planned on this frame"
            return {**at, "stage": "schedule", "says": says}
        stage = next((name for name in STAGES if before[name] != after[name]), None)
        if stage is not None:
            return {**at, "stage": stage, "says": f"the {stage} differ"}
    return None


def _count_flips(before: list[str], after: list[str], flips: dict[str, Counter[str]]) -> None:
    for one, other in zip(before, after, strict=False):
        if not one and other:
            flips["rejected"][other] += 1
        elif one and not other:
            flips["accepted"][one] += 1


def _count_decision(before: dict, after: dict, decisions: dict[str, Counter[str]]) -> None:
    if before["plan_id"] and not after["plan_id"]:
        decisions["no_plan"][_leading(after)] += 1
    elif after["plan_id"] and not before["plan_id"]:
        decisions["plan"][_leading(before)] += 1


def _leading(cycle: dict) -> str:
    return max(cycle["rejections"], key=cycle["rejections"].get, default="")


def _acceptance(result: Result) -> float:
    tried = rejected = 0
    for cycle in result["cycles"]:
        by_round = [sum(counts.values()) for counts in cycle["rounds"]]
        tried += cycle["candidates"] + sum(by_round[:-1])  # what is rejected is dreamed anew
        rejected += sum(by_round)
    return 1.0 - rejected / tried if tried else float("nan")


def _planned_share(result: Result) -> float:
    return (
        result["plans"] / result["planning_cycles"] if result["planning_cycles"] else float("nan")
    )


def _foresight(name: str) -> Callable[[Result], float]:
    def measure(result: Result) -> float:
        found = [np.mean(c["foresight"][name]) for c in result["cycles"] if _has(c, name)]
        return float(np.mean(found)) if found else float("nan")

    return measure


def _has(cycle: dict, name: str) -> bool:
    return bool(cycle.get("foresight", {}).get(name))


def _score(result: Result) -> float:
    chosen = [c["total_score"][c["chosen"]] for c in result["cycles"] if c["plan_id"]]
    return float(np.mean(chosen)) if chosen else float("nan")


METRICS: dict[str, Callable[[Result], float]] = {
    "candidates accepted, share": _acceptance,
    "cycles with a plan, share": _planned_share,
    "score of the chosen": _score,
    "distance to the recorded path, m": _foresight("distance"),
    "the same aligned in time (DTW), m": _foresight("dtw"),
    "dream error, latent": _foresight("dream_error"),
}


def _difference(before: list[float], after: list[float], seed: int) -> dict[str, Any]:
    """Return both means and the paired difference, with an interval from two bags on."""
    one, other = np.array(before), np.array(after)
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    if not len(one):
        return {"first": None, "second": None, "difference": None, "interval": None}
    change = other - one
    return {
        "first": float(one.mean()),
        "second": float(other.mean()),
        "difference": float(change.mean()),
        "interval": mean_interval(change, seed),
    }

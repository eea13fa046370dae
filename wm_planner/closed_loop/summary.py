"""Results of many episodes in figures: success with its uncertainty, latencies, rejections."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from wm_planner.closed_loop.episode_result import EpisodeResult

Z_95 = 1.959964  # two-sided 95% of a normal distribution


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return a 95% interval for a success rate (Wilson 1927); (0, 1) without trials.

    Unlike mean plus and minus two standard errors it is right for 0 or all of few trials too.
    """
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    centre = rate + Z_95**2 / (2 * trials)
    spread = Z_95 * math.sqrt(rate * (1 - rate) / trials + Z_95**2 / (4 * trials**2))
    scale = 1 + Z_95**2 / trials
    return max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0)


def summarise(results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """Return figures that JSON can hold.

    Latencies are those of whole plans in ms, by stage: median and 95th percentile.
    """
    successes = sum(result.success for result in results)
    latency: dict[str, list[float]] = defaultdict(list)
    rejections, refusals, ends = Counter[str](), Counter[str](), Counter[str]()
    replans = Counter[str]()
    for result in results:
        rejections.update(result.rejections)
        refusals.update(result.refusals)
        replans.update(result.replans)
        ends[result.end] += 1
        for stage, seconds in result.latency_s.items():
            latency[stage] += seconds
    return {
        "episodes": len(results),
        "successes": successes,
        "success_rate": successes / len(results) if results else 0.0,
        "interval_95": list(wilson_interval(successes, len(results))),
        "plans": sum(result.plans for result in results),
        "no_plans": sum(result.no_plans for result in results),
        "ends": dict(ends.most_common()),
        "rejections": dict(rejections.most_common()),
        "refusals": dict(refusals.most_common()),
        "replans": dict(replans.most_common()),
        "commands": sum(result.commands for result in results),
        "limit_violations": sum(result.limit_violations for result in results),
        "drifted": sum(len(result.drifted_s) for result in results),
        "disturbed": _disturbed(results),
        "retries": sum(result.retries for result in results),
        "by_goal": _by_goal(results),
        "latency_ms": {
            stage: {
                "p50": round(float(np.percentile(values, 50)) * 1e3, 3),
                "p95": round(float(np.percentile(values, 95)) * 1e3, 3),
            }
            for stage, values in latency.items()
        },
    }


def _disturbed(results: Sequence[EpisodeResult]) -> dict[str, Any] | None:
    """How many episodes were really disturbed, those that succeeded, and why others were not."""
    asked = [result for result in results if result.disturbed]
    if not asked:
        return None
    applied = [result for result in asked if result.disturbed and result.disturbed.applied]
    successes = sum(result.success for result in applied)
    delays = [delay for result in applied if (delay := _noticed_s(result)) is not None]
    skipped = Counter(r.disturbed.reason for r in asked if r.disturbed and not r.disturbed.applied)
    return {
        "applied": len(applied),
        "successes": successes,
        "interval_95": list(wilson_interval(successes, len(applied))),
        "noticed": len(delays),
        "noticed_after_s": round(float(np.median(delays)), 3) if delays else None,
        "skipped": dict(skipped.most_common()),
    }


def _by_goal(results: Sequence[EpisodeResult]) -> list[dict[str, int]] | None:
    """What physics saw done, and the planner reached, of each goal; None where there is but one.

    An episode ends soon after physics has seen the last goal done, so the planner may not have.
    """
    count = max((max(len(r.done_s), len(r.seen_s)) for r in results), default=0)
    if count < 2:
        return None
    rows = []
    for goal in range(count):
        done = [r.done_s[goal] if goal < len(r.done_s) else math.inf for r in results]
        seen = [r.seen_s[goal] if goal < len(r.seen_s) else math.inf for r in results]
        pairs = list(zip(done, seen, strict=True))
        rows.append({
            "done": sum(d < math.inf for d in done),
            "seen": sum(s < math.inf for s in seen),
            "both": sum(d < math.inf and s < math.inf for d, s in pairs),
            "early": sum(s < d for d, s in pairs),
        })  # fmt: skip
    return rows


def _noticed_s(result: EpisodeResult) -> float | None:
    """How long after the disturbance frames first were seen to have left a dream."""
    begun_s = result.disturbed.time_s if result.disturbed else None
    if begun_s is None:
        return None
    return min((time - begun_s for time in result.drifted_s if time > begun_s), default=None)

"""How far undisturbed runs were from their dreams, as bags tell, and the drift limit for it.

A planner that reports on its task says of every frame how far it is from the dream in execution.
What counts of a plan is the largest distance that lasted: with any smaller limit frames would have
been seen to leave its dream. The limit is a quantile of that over plans, of rank
ceil((n + 1) (1 - a)) of n (split conformal prediction: Vovk, Gammerman and Shafer 2005,
"Algorithmic Learning in a Random World"): a plan like them is a false alarm with probability a.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from wm_planner.errors import DataError
from wm_planner.messages.topic_names import TASK_PROGRESS_TOPIC
from wm_planner.replay.bag import Bag
from wm_planner.replay.recorded_run import find_topic

TASK_PROGRESS = "wm_planner/msg/TaskProgress"
Readings = list[tuple[float, float]]  # of one plan: steps since its start, distance


def lasting_distances(bag: Path, steps: float) -> list[float]:
    """Return the largest lasting distance of each plan that was followed for long enough.

    Args:
        bag: with the progress of a task.
        steps: how long a distance must last, `drift_steps`.

    Raises:
        DataError: the bag cannot be read, or tells nothing of drift.
    """
    with Bag(bag) as opened:
        topic = find_topic(opened.topics, TASK_PROGRESS_TOPIC, TASK_PROGRESS)
        if topic is None:
            raise DataError(f"bag {bag}: no {TASK_PROGRESS}: a planner's own runs have it")
        messages = (opened.unpack(record) for record in opened.records([topic]))
        told = [(m.dream_step + m.lateness, m.drift) for m in messages]
    found = [lasting(plan, steps) for plan in by_plan(told)]
    return [distance for distance in found if not math.isnan(distance)]


def by_plan(told: Iterable[tuple[float, float]]) -> list[Readings]:
    """Part readings, in their order, where the time since a plan's start goes back."""
    plans: list[Readings] = []
    before = math.inf
    for due, distance in told:
        if math.isnan(due) or math.isnan(distance):
            continue  # no dream was followed
        if due < before:
            plans.append([])
        plans[-1].append((due, distance))
        before = due
    return plans


def lasting(plan: Readings, steps: float) -> float:
    """Return the largest distance that lasted; NaN for a plan that was not followed for so long.

    Args:
        plan: readings with rising times.
        steps: as `DriftMonitor` counts: from the first frame beyond the limit, a step less.
    """
    due = np.array([at for at, _ in plan])
    distance = np.array([cost for _, cost in plan])
    lasts = max(steps - 1.0 - 1e-6, 0.0)
    last = np.searchsorted(due, due + lasts)  # the first frame that is late enough
    lasted = [distance[k : end + 1].min() for k, end in enumerate(last) if end < len(due)]
    return float(max(lasted, default=math.nan))


def drift_limit(distances: Sequence[float], false_alarms: float) -> float:
    """Return the limit, in errors of the world model; NaN where there were too few plans."""
    ordered = np.sort(np.array(distances, float))
    rank = math.ceil((len(ordered) + 1) * (1.0 - false_alarms))
    return float(ordered[rank - 1]) if rank <= len(ordered) else math.nan

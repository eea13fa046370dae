"""Replayed plans against those that the bag's own planner made of the same frames."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.errors import DataError
from wm_planner.messages.arrays import to_ns
from wm_planner.messages.plans import plan_from_message, verdict_from_message
from wm_planner.messages.topic_names import PLAN_TOPIC, REPORT_TOPIC
from wm_planner.planner import PlanReport
from wm_planner.replay.bag import Bag, Record
from wm_planner.replay.recorded_run import find_topic
from wm_planner.types import Plan

KEPT = 64  # recorded or replayed plans that may wait for their counterpart


@dataclass(frozen=True)
class Match:
    """One frame of which both planners made something.

    Attributes:
        stamp_ns: of the frame.
        differing: names of what is not the same to the last bit; empty where all is.
        largest: largest absolute difference of numbers, by name; of those that differ.
        models: hashes of the world models of the recorded and the replayed plan; None unless both
            made one.
    """

    stamp_ns: int
    differing: tuple[str, ...]
    largest: dict[str, float]
    models: tuple[str, str] | None


class RecordedMatch:
    """Brings recorded and replayed together by the stamp of their frame, whichever comes first.

    Args:
        bag: unpacks messages.
        joint_names: the D columns.

    Attributes:
        matches: in the order in which both were known.
        only_recorded: frames of which only the recorded planner made a plan.
        only_replayed: frames of which only the replay did.
    """

    def __init__(self, bag: Bag, joint_names: tuple[str, ...]) -> None:
        self.matches: list[Match] = []
        self.only_recorded: list[int] = []
        self.only_replayed: list[int] = []
        self._bag, self._joint_names = bag, joint_names
        self._report_topic = find_topic(bag.topics, REPORT_TOPIC, "wm_planner/msg/PlanReport")
        self._plan_topic = find_topic(bag.topics, PLAN_TOPIC, "wm_planner/msg/Plan")
        self._plans: OrderedDict[int, Plan] = OrderedDict()
        self._recorded: OrderedDict[int, Any] = OrderedDict()
        self._replayed: OrderedDict[int, PlanReport] = OrderedDict()

    @property
    def topics(self) -> list[str]:
        """What has to be heard for it."""
        return [topic for topic in (self._report_topic, self._plan_topic) if topic is not None]

    @property
    def other_model(self) -> tuple[str, str] | None:
        """Hashes of both world models where a plan was recorded with another; else None."""
        pairs = (match.models for match in self.matches)
        return next((pair for pair in pairs if pair is not None and pair[0] != pair[1]), None)

    def hear(self, record: Record) -> None:
        """Take a recorded plan or report; others are ignored."""
        if record.topic == self._plan_topic:
            message = self._bag.unpack(record)
            if message.horizon:
                self._plans[to_ns(message.start)] = plan_from_message(message, self._joint_names)
                _shorten(self._plans)
        elif record.topic == self._report_topic:
            message = self._bag.unpack(record)
            self._recorded[to_ns(message.stamp)] = message
            self._pair(to_ns(message.stamp))
            self.only_recorded += _shorten(self._recorded)

    def made(self, stamp_ns: int, report: PlanReport) -> None:
        """Take a replayed report."""
        self._replayed[stamp_ns] = report
        self._pair(stamp_ns)
        self.only_replayed += _shorten(self._replayed)

    def finish(self) -> None:
        """End of the bag: what waits has no counterpart."""
        self.only_recorded += self._recorded
        self.only_replayed += self._replayed

    def _pair(self, stamp_ns: int) -> None:
        if stamp_ns in self._recorded and stamp_ns in self._replayed:
            recorded, plan = self._recorded.pop(stamp_ns), self._plans.pop(stamp_ns, None)
            report = self._replayed.pop(stamp_ns)
            fields = list(_fields(recorded, plan, report))
            unlike = [(name, one, other) for name, one, other in fields if not _same(one, other)]
            largest = {name: _distance(one, other) for name, one, other in unlike}
            models = None
            if plan is not None and isinstance(report.plan, Plan):
                models = plan.bundle_hash, report.plan.bundle_hash
            self.matches.append(Match(stamp_ns, tuple(largest), largest, models))


def _fields(recorded: Any, plan: Plan | None, report: PlanReport) -> Iterator[tuple[str, Any, Any]]:
    """Name, recorded and replayed value of everything that both know."""
    yield "candidates", int(recorded.candidates), len(report.total_score)
    if getattr(recorded, "rounds", 0):  # older bags do not say
        yield "rounds", int(recorded.rounds), len(report.rounds)
    yield "verdicts", len(recorded.verdicts), len(report.verdicts)
    for message, verdicts in zip(recorded.verdicts, report.verdicts, strict=False):
        try:
            before = verdict_from_message(message)
        except (DataError, ValueError, AttributeError):
            # Another version's: with a reason that this one does not know, or fewer fields.
            yield f"verdict {message.reason}", message.reason, None
            continue
        label = f"verdict {verdicts.reason.value}"
        yield f"{label}: reason", before.reason.value, verdicts.reason.value
        yield f"{label}: limit", before.limit, verdicts.limit
        yield f"{label}: measured", before.measured, verdicts.measured
        yield f"{label}: first bad step", before.first_bad_step, verdicts.first_bad_step
    for message, scores in zip(recorded.scores, report.scores, strict=False):
        yield f"score {scores.scorer}", np.array(message.contribution), scores.contribution
    yield "total score", np.array(recorded.total_score), report.total_score
    chosen = report.plan.candidate if isinstance(report.plan, Plan) else -1
    yield "chosen", int(recorded.chosen), chosen
    if plan is not None and isinstance(report.plan, Plan):
        for name in ("actions", "joint_position", "joint_velocity", "gripper_width", "dream"):
            yield f"plan {name}", getattr(plan, name), getattr(report.plan, name)
        yield "world model", plan.bundle_hash, report.plan.bundle_hash


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and np.array_equal(
            one, other, equal_nan=one.dtype.kind == "f"
        )
    return bool(one == other)


def _distance(one: Any, other: Any) -> float:
    try:
        difference = np.abs(np.asarray(one, float) - np.asarray(other, float))
        known = difference[~np.isnan(difference)]
        return float(known.max()) if known.size else float("nan" if difference.size else 0.0)
    except ValueError:  # words, or other shapes
        return float("nan")


def _shorten(waiting: OrderedDict[int, Any]) -> list[int]:
    """Drop the oldest beyond what is kept; returns their stamps."""
    return [waiting.popitem(last=False)[0] for _ in range(len(waiting) - KEPT)]

"""What a bag says about the planner that was recorded: when it looked, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wm_planner.messages.arrays import to_ns
from wm_planner.messages.topic_names import REPORT_TOPIC, TASK_PROGRESS_TOPIC
from wm_planner.replay.bag import Bag


@dataclass(frozen=True)
class Attempt:
    """One attempt at one goal of a task.

    Attributes:
        stamp_ns: of the frame on which the planner turned to it; 0 where the task began.
        goal: index of the goal.
        retries: attempts at it that had failed before.
        instruction: what was asked for.
    """

    stamp_ns: int
    goal: int
    retries: int
    instruction: str


@dataclass(frozen=True)
class Assignment:
    """One task that was to be done.

    Attributes:
        begun_ns: when it was accepted, clock of the recording.
        end_ns: when it was last heard of; None for until the bag's end.
        attempts: at its goals, in their order.
        goals: how many goals it had.
    """

    begun_ns: int
    end_ns: int | None
    attempts: tuple[Attempt, ...]
    goals: int = 1

    @staticmethod
    def of(instruction: str, begun_ns: int = 0, end_ns: int | None = None) -> Assignment:
        """One goal from begin to end."""
        return Assignment(begun_ns, end_ns, (Attempt(0, 0, 0, instruction),))


@dataclass(frozen=True)
class Pursuit:
    """One goal of a task, all attempts at it together.

    Attributes:
        begun_ns: when the planner turned to it, clock of the recording.
        end_ns: when it turned to the next one, or the task was last heard of; None for the bag's
            end.
        instruction: what was asked for.
        last: whether no other goal of the task was turned to afterwards.
    """

    begun_ns: int
    end_ns: int | None
    instruction: str
    last: bool = True


@dataclass(frozen=True)
class RecordedRun:
    """What can be known before the replay begins.

    Attributes:
        looked: when each look at a frame was over, clock of the recording, by the frame's stamp.
        assignments: tasks in their order.
        rounds: how many batches of dreams were judged for a plan, by the frame's stamp; empty in
            bags that do not say.
    """

    looked: Mapping[int, int]
    assignments: tuple[Assignment, ...]
    rounds: Mapping[int, int] = field(default_factory=dict)

    @property
    def pursuits(self) -> tuple[Pursuit, ...]:
        """The goals of all tasks, in the order in which they were pursued."""
        found: list[Pursuit] = []
        for task in self.assignments:
            first, *later = task.attempts
            turns = [(task.begun_ns, first.instruction)]
            for before, now in zip(task.attempts[:-1], later, strict=True):
                if now.goal != before.goal:
                    turns.append((self.looked[now.stamp_ns], now.instruction))
            ends = [*(begun_ns for begun_ns, _ in turns[1:]), task.end_ns]
            for number, ((begun_ns, asked), end_ns) in enumerate(zip(turns, ends, strict=True), 1):
                found.append(Pursuit(begun_ns, end_ns, asked, number == len(turns)))
        return tuple(found)


def find_topic(topics: Mapping[str, str], name: str, kind: str) -> str | None:
    """Return the topic of the planner's graph with this relative name, in whatever namespace.

    Args:
        topics: type by topic.
        name: as in `topic_names`.
        kind: type of the messages; a topic of another type is somebody else's.
    """
    ours = (t for t in sorted(topics) if topics[t] == kind)
    return next((topic for topic in ours if topic.endswith("/" + name)), None)


def read_recorded_run(bag: Bag) -> RecordedRun:
    """Read the progress that the recorded planner told; empty where there was none."""
    looked: dict[int, int] = {}
    assignments: list[Assignment] = []
    topic = find_topic(bag.topics, TASK_PROGRESS_TOPIC, "wm_planner/msg/TaskProgress")
    elapsed_s, over = float("inf"), False
    for record in bag.records([topic] if topic else []):
        message = bag.unpack(record)
        looked[to_ns(message.stamp)] = record.log_ns
        was_over, over = over, _all_reached(message)
        before = assignments[-1].attempts[-1] if assignments else None
        # The last frame of a task that succeeded belongs to the goal that it reached.
        now = before if over and before is not None else _attempt(message)
        before = before or now
        same_place = (now.goal, now.retries) == (before.goal, before.retries)
        renamed = same_place and now.instruction != before.instruction
        anew = message.elapsed_s < elapsed_s or (was_over and not over)
        if anew or now.goal < before.goal or renamed:
            begun_ns = record.log_ns - round(message.elapsed_s * 1e9)
            first = replace(now, stamp_ns=0)
            goals = getattr(message, "goals", 1)
            assignments.append(Assignment(begun_ns, record.log_ns, (first,), goals))
        else:
            last = assignments[-1]
            attempts = last.attempts if same_place else (*last.attempts, now)
            assignments[-1] = replace(last, end_ns=record.log_ns, attempts=attempts)
        elapsed_s = message.elapsed_s
    return RecordedRun(looked, tuple(assignments), _rounds(bag))


def _rounds(bag: Bag) -> dict[int, int]:
    topic = find_topic(bag.topics, REPORT_TOPIC, "wm_planner/msg/PlanReport")
    reports = (bag.unpack(record) for record in bag.records([topic] if topic else []))
    told = {to_ns(report.stamp): getattr(report, "rounds", 0) for report in reports}
    return {stamp_ns: rounds for stamp_ns, rounds in told.items() if rounds}


def _all_reached(message: Any) -> bool:
    """Whether a `TaskProgress` says that no goal is left; older bags do not tell."""
    return bool(getattr(message, "goal", 0) >= getattr(message, "goals", 1))


def _attempt(message: Any) -> Attempt:
    """What a `TaskProgress` says is pursued; older bags know one goal a task."""
    goal, retries = (getattr(message, name, 0) for name in ("goal", "retries"))
    return Attempt(to_ns(message.stamp), goal, retries, message.instruction)

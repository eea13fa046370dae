"""What a bag says about the planner that was recorded: when it looked, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wm_planner.messages.arrays import to_ns
from wm_planner.messages.topic_names import TASK_PROGRESS_TOPIC
from wm_planner.replay.bag import Bag


@dataclass(frozen=True)
class Assignment:
    """One task that was to be done.

    Attributes:
        begun_ns: when it was accepted, clock of the recording.
        end_ns: when it was last heard of; None for until the bag's end.
        instruction: what was asked for.
    """

    begun_ns: int
    end_ns: int | None
    instruction: str


@dataclass(frozen=True)
class RecordedRun:
    """What can be known before the replay begins.

    Attributes:
        looked: when each look at a frame was over, clock of the recording, by the frame's stamp.
        assignments: tasks in their order.
    """

    looked: Mapping[int, int]
    assignments: tuple[Assignment, ...]


def find_topic(topics: Mapping[str, str], name: str, kind: str) -> str | None:
    """Return the topic of the planner's graph with this relative name, in whatever namespace.

    Args:
        topics: type by topic.
        name: as in `topic_names`.
        kind: of wm_planner's messages; a topic of another type is somebody else's.
    """
    ours = (t for t in sorted(topics) if topics[t] == f"wm_planner/msg/{kind}")
    return next((topic for topic in ours if topic.endswith("/" + name)), None)


def read_recorded_run(bag: Bag) -> RecordedRun:
    """Read the progress that the recorded planner told; empty where there was none."""
    looked: dict[int, int] = {}
    assignments: list[Assignment] = []
    topic = find_topic(bag.topics, TASK_PROGRESS_TOPIC, "TaskProgress")
    elapsed_s = float("inf")
    for record in bag.records([topic] if topic else []):
        message = bag.unpack(record)
        looked[to_ns(message.stamp)] = record.log_ns
        if message.elapsed_s < elapsed_s or message.instruction != assignments[-1].instruction:
            begun_ns = record.log_ns - round(message.elapsed_s * 1e9)
            assignments.append(Assignment(begun_ns, record.log_ns, message.instruction))
        else:
            last = assignments[-1]
            assignments[-1] = Assignment(last.begun_ns, record.log_ns, last.instruction)
        elapsed_s = message.elapsed_s
    return RecordedRun(looked, tuple(assignments))

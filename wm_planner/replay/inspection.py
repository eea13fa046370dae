"""Looks through a bag: what is in it, what is wrong with it, and whether it serves a rig."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wm_planner.errors import DataError
from wm_planner.replay.bag import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE, JOINT_STATE, Bag
from wm_planner.replay.topic_statistics import TopicObserver, TopicStatistics
from wm_planner.robot.rig_description import CameraDescription, RigDescription

SKEW_S = 0.5  # stamps this far from the time of recording come from another clock


@dataclass(frozen=True)
class Inspection:
    """A bag as it was found.

    Attributes:
        path: of the bag.
        duration_s: from its first to its last message.
        topics: all of them, by name.
        damage: why reading ended before the bag's end, "" where it did not.
    """

    path: Path
    duration_s: float
    topics: dict[str, TopicStatistics]
    damage: str

    def of_type(self, *types: str) -> list[TopicStatistics]:
        """Return the topics of these types that hold messages."""
        return [topic for topic in self.topics.values() if topic.type in types and topic.count]


def inspect(path: Path) -> Inspection:
    """Read a bag once from its begin to its end.

    Raises:
        DataError: it cannot be opened, or holds no messages.
    """
    damage, begin, end = "", None, 0
    with Bag(path) as bag:
        expected = max(1, bag.message_count // max(1, len(bag.topics)))
        observers = {name: TopicObserver(name, kind, expected) for name, kind in bag.topics.items()}
        try:
            for record in bag.records():
                begin = record.log_ns if begin is None else begin
                end = max(end, record.log_ns)
                observers[record.topic].add(record, bag.unpack)
        except DataError as error:
            damage = str(error)
    if begin is None:
        raise DataError(damage or f"bag {path}: holds no messages")
    found = {name: observer.finish(begin, end) for name, observer in sorted(observers.items())}
    return Inspection(path, (end - begin) * 1e-9, found, damage)


def problems_of(found: Inspection) -> list[str]:
    """Return what is wrong with the bag itself, one sentence each."""
    problems = [found.damage] if found.damage else []
    for topic in found.topics.values():
        name = topic.topic
        if not topic.count and topic.type in (IMAGE, COMPRESSED_IMAGE, JOINT_STATE):
            problems.append(f"{name}: no messages")
        if topic.damaged:
            problems.append(f"{name}: {topic.damaged} of {topic.count} messages are damaged")
        for at, length in topic.gaps:
            if topic.type in (IMAGE, COMPRESSED_IMAGE, JOINT_STATE):
                problems.append(f"{name}: silent for {length:.2f} s at {at:.2f} s")
        if topic.clock_resets:
            problems.append(f"{name}: the clock was set back {topic.clock_resets} times")
        if topic.unsorted:
            problems.append(f"{name}: {topic.unsorted} messages out of order")
        if topic.skew_s is not None and abs(topic.skew_s) > SKEW_S:
            problems.append(f"{name}: recorded {topic.skew_s:+.3f} s after its stamps")
        for at, length in topic.black:
            problems.append(f"{name}: black for {length:.2f} s at {at:.2f} s")
        for at, length in topic.frozen:
            problems.append(f"{name}: frozen for {length:.2f} s at {at:.2f} s")
    infos = {topic.topic.rpartition("/")[0] for topic in found.of_type(CAMERA_INFO)}
    for camera in found.of_type(IMAGE, COMPRESSED_IMAGE):
        above = camera.topic.removesuffix("/compressed").rpartition("/")[0]
        if not {above, camera.topic.removesuffix("/compressed")} & infos:
            problems.append(f"{camera.topic}: no CameraInfo beside it")
    return problems


def camera_topic(topics: dict[str, str], camera: CameraDescription) -> str | None:
    """Return where a bag has the pictures of a camera of the rig, raw or compressed, or None."""
    for topic in (camera.topic, f"{camera.topic}/compressed"):
        if topics.get(topic) in (IMAGE, COMPRESSED_IMAGE):
            return topic
    return None


def mismatches(found: Inspection, rig: RigDescription) -> list[str]:
    """Return why the bag does not serve the rig, one sentence each; empty where it does."""
    problems = ["it cannot be read to its end"] if found.damage else []
    types = {topic.topic: topic.type for topic in found.topics.values() if topic.count}
    for name, camera in rig.cameras.items():
        topic = camera_topic(types, camera)
        if topic is None and camera.required:
            problems.append(f"camera {name}: no pictures on {camera.topic}")
        if topic is not None and found.topics[topic].damaged == found.topics[topic].count:
            problems.append(f"camera {name}: all pictures on {topic} are damaged")
        size = found.topics[topic].size if topic else None
        if size is not None and size != (camera.height, camera.width):
            got, expected = "{}x{}".format(*size), f"{camera.height}x{camera.width}"
            problems.append(f"camera {name}: pictures are {got}, the rig file says {expected}")
    joints = found.topics.get(rig.topics.joint_states)
    if joints is None or joints.type != JOINT_STATE or not joints.count:
        problems.append(f"no joint states on {rig.topics.joint_states}")
        return problems
    missing = _lacking(joints.joint_names, rig)
    if missing:
        problems.append(f"{joints.topic} lacks the joints {', '.join(missing)}")
    return problems


def _lacking(names: Sequence[str], rig: RigDescription) -> list[str]:
    return list((Counter(rig.message_joint_names) - Counter(names)).keys())

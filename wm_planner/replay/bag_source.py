"""Bags as recordings to import: one for each goal that was pursued in it, or the whole bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wm_planner.datasets.recording import JointTrack, Pictures, Recording, check_range, newer
from wm_planner.errors import DataError
from wm_planner.messages.arrays import to_ns
from wm_planner.messages.images import (
    check_compressed,
    image_from_compressed,
    image_from_message,
)
from wm_planner.messages.topic_names import PLAN_TOPIC, SUCCESS_TOPIC
from wm_planner.replay.bag import COMPRESSED_IMAGE, IMAGE, JOINT_STATE, Bag, Record
from wm_planner.replay.inspection import camera_topic
from wm_planner.replay.recorded_commands import CommandReader, find_commands
from wm_planner.replay.recorded_run import Pursuit, find_topic, read_recorded_run
from wm_planner.robot.robot_model import RobotModel

WHOLE = Pursuit(0, None, "")


@dataclass
class _Heard:
    """What came on one topic.

    Attributes:
        log_ns: when each usable message was recorded.
        stamp_ns: when it says that it was made; of recording where it does not say.
        values: arms, velocity and width of each; nothing for pictures.
        number: of each among all messages of the topic.
        count: of all messages.
    """

    log_ns: list[int] = field(default_factory=list)
    stamp_ns: list[int] = field(default_factory=list)
    values: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    count: int = 0


class BagSource:
    """One bag.

    Args:
        path: of it.
        robot: whose joints are looked for, on the topics of its rig file.
        cameras: name in the rig to topic; an empty one for the rig file's.
        instruction: where the bag does not say what was asked for.
        commands: topic of joint states that were commanded; None to look for one.

    Attributes:
        name: of the folder or file.
        keys: one for each goal.
    """

    def __init__(
        self,
        path: Path,
        robot: RobotModel,
        cameras: Mapping[str, str],
        instruction: str = "",
        commands: str | None = None,
    ) -> None:
        self.name = path.resolve().stem
        self._path, self._robot, self._instruction = path, robot, instruction
        self._notes: list[str] = []
        with Bag(path) as bag:
            self._reader = CommandReader(bag, robot)
            self._types = dict(bag.topics)
            self._cameras = {n: self._camera(n, topic) for n, topic in cameras.items()}
            self._states = robot.rig.topics.joint_states
            if bag.topics.get(self._states) != JOINT_STATE:
                held = ", ".join(sorted(bag.topics)) or "nothing"
                raise DataError(f"has no joint states on {self._states}; it has {held}")
            self._commands = commands or find_commands(bag, robot)
            self._pursuits = read_recorded_run(bag).pursuits or (WHOLE,)
            self._successes: list[tuple[int, bool]] = []
            self._heard = self._listen(bag)
        self._planned = find_topic(self._types, PLAN_TOPIC, "wm_planner/msg/Plan") is not None
        several = len(self._pursuits) > 1
        self.keys = tuple(f"goal {i + 1}" if several else "" for i in range(len(self._pursuits)))

    def read(self, key: str) -> Recording:
        """Return what was done for a goal."""
        pursuit = self._pursuits[self.keys.index(key)]
        notes = list(self._notes)
        measured = self._track(self._states, pursuit, notes)
        if measured is None:
            raise DataError(f"no joint states on {self._states}")
        robot = self._robot
        limits = robot.position_lower, robot.position_upper
        check_range(measured.arms, *limits, robot.joint_names)
        commanded = None
        if self._commands is not None:
            commanded = self._track(self._commands, pursuit, notes)
        if commanded is None:
            notes.append("no commands: a frame's target is where the joints were at the next")
        pictures = {name: self._pictures(t, pursuit, notes) for name, t in self._cameras.items()}
        instruction = pursuit.instruction.strip() or self._instruction
        if not instruction:
            notes.append("no instruction")
        end_ns = pursuit.end_ns or np.inf
        seen = [value for log_ns, value in self._successes if log_ns <= end_ns + 3e9]
        return Recording(
            instruction,
            measured,
            commanded,
            pictures,
            tuple(notes),
            success=seen[-1] if seen and pursuit.last else True,
            kind="planner" if self._planned else "expert",
        )

    def _camera(self, name: str, topic: str) -> str:
        found = topic if topic in self._types else None
        found = found or camera_topic(self._types, self._robot.rig.cameras[name])
        if found is None or (topic and found != topic):
            wanted = topic or self._robot.rig.cameras[name].topic
            there = [t for t, kind in self._types.items() if kind in (IMAGE, COMPRESSED_IMAGE)]
            raise DataError(f"has no pictures on {wanted}; it has {', '.join(there) or 'none'}")
        return found

    def _listen(self, bag: Bag) -> dict[str, _Heard]:
        """Read everything but pixels."""
        success = find_topic(bag.topics, SUCCESS_TOPIC, "std_msgs/msg/Bool")
        pictures = set(self._cameras.values())
        topics = {*pictures, self._states, *filter(None, (self._commands, success))}
        heard = {topic: _Heard() for topic in topics}
        bad: Counter[str] = Counter()
        try:
            for record in bag.records(topics):
                heard[record.topic].count += 1
                try:
                    if record.topic == success:
                        self._successes.append((record.log_ns, bool(bag.unpack(record).data)))
                    elif record.topic in pictures:
                        self._see(heard[record.topic], record, bag.unpack(record))
                    else:
                        stamp_ns, values = self._reader.read(record)
                        _take(heard[record.topic], record, stamp_ns, values)
                except DataError as error:
                    bad[f"{record.topic}: {error}"[:160]] += 1
        except DataError as error:
            self._notes.append(str(error))
        self._notes += [f"{count} messages left out: {why}" for why, count in bad.items()]
        return heard

    @staticmethod
    def _see(heard: _Heard, record: Record, message: Any) -> None:
        check = check_compressed if record.type == COMPRESSED_IMAGE else image_from_message
        check(message)
        _take(heard, record, to_ns(message.header.stamp), ())

    def _rows(self, topic: str, pursuit: Pursuit, notes: list[str]) -> np.ndarray:
        """Messages of a goal whose stamps are newer than those before, shape (N,)."""
        log_ns = np.array(self._heard[topic].log_ns, np.int64)
        end_ns = pursuit.end_ns if pursuit.end_ns is not None else np.iinfo(np.int64).max
        rows = np.flatnonzero((log_ns >= pursuit.begun_ns) & (log_ns <= end_ns))
        fresh = newer(np.array(self._heard[topic].stamp_ns, np.int64)[rows])
        if not fresh.all():
            notes.append(f"{topic}: {(~fresh).sum()} messages left out, their stamps are not newer")
        return rows[fresh]

    def _track(self, topic: str, pursuit: Pursuit, notes: list[str]) -> JointTrack | None:
        rows, heard = self._rows(topic, pursuit, notes), self._heard[topic]
        if len(rows) < 2:
            return None
        arms, velocity, width = (
            np.stack(part) for part in zip(*(heard.values[i] for i in rows), strict=True)
        )
        stamps = np.array(heard.stamp_ns, np.int64)[rows]
        return JointTrack(stamps, arms, width, velocity if velocity.any() else None)

    def _pictures(self, topic: str, pursuit: Pursuit, notes: list[str]) -> Pictures:
        rows, heard = self._rows(topic, pursuit, notes), self._heard[topic]
        if len(rows) < 2:
            raise DataError(f"{len(rows)} pictures on {topic}")
        numbers = np.array(heard.number)[rows]
        stamps = np.array(heard.stamp_ns, np.int64)[rows]

        def read(wanted: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
            chosen = set(numbers[wanted].tolist())
            with Bag(self._path) as bag:
                for number, record in enumerate(bag.records([topic])):
                    if number in chosen:
                        message = bag.unpack(record)
                        compressed = record.type == COMPRESSED_IMAGE
                        yield (image_from_compressed if compressed else image_from_message)(message)

        return Pictures(stamps, read)


def _take(heard: _Heard, record: Record, stamp_ns: int, values: tuple[np.ndarray, ...]) -> None:
    heard.log_ns.append(record.log_ns)
    heard.stamp_ns.append(stamp_ns or record.log_ns)
    heard.values.append(values)
    heard.number.append(heard.count - 1)

"""Where a bag says what was commanded: set points of the planner, or joint states of a driver."""

from __future__ import annotations

from collections import Counter

import numpy as np

from wm_planner.errors import DataError
from wm_planner.messages.plans import command_from_message
from wm_planner.messages.topic_names import COMMAND_TOPIC
from wm_planner.observing.joint_reader import JointReader
from wm_planner.replay.bag import JOINT_STATE, Bag, Record
from wm_planner.replay.recorded_run import find_topic
from wm_planner.robot.robot_model import RobotModel

COMMAND = "wm_planner/msg/Command"


def find_commands(bag: Bag, robot: RobotModel) -> str | None:
    """Return the topic of commands, None where there is none, or more than one that may be it.

    The planner's set points, else the one topic of joint states beside the measured ones that
    names all of the robot's joints.
    """
    set_points = find_topic(bag.topics, COMMAND_TOPIC, COMMAND)
    if set_points is not None:
        return set_points
    wanted, found = set(robot.rig.message_joint_names), []
    for topic, kind in sorted(bag.topics.items()):
        if kind != JOINT_STATE or topic == robot.rig.topics.joint_states:
            continue
        try:
            first = next(bag.records([topic]), None)
            if first is not None and wanted <= set(bag.unpack(first).name):
                found.append(topic)
        except DataError:  # damaged: whoever reads the whole bag says so
            continue
    return found[0] if len(found) == 1 else None


class CommandReader:
    """Unpacks commands, whichever of both kinds they are.

    Args:
        bag: unpacks messages.
        robot: whose joints are looked for.
    """

    def __init__(self, bag: Bag, robot: RobotModel) -> None:
        self._bag, self._joint_names = bag, robot.joint_names
        self._reader = JointReader(robot.rig)

    def read(self, record: Record) -> tuple[int, tuple[np.ndarray, ...]]:
        """Return the stamp and positions (D,) and velocities (D,) of the arms and widths (2,).

        The stamp is 0 where the message has none.

        Raises:
            DataError: the message cannot be used.
        """
        message = self._bag.unpack(record)
        if record.type == COMMAND:
            command = command_from_message(message, self._joint_names)
            values = command.joint_position, command.joint_velocity, command.gripper_width
            return command.stamp_ns, values
        sample = self._reader.read(message)
        return sample.stamp_ns, (sample.position, sample.velocity, sample.width)


class CommandListener:
    """Hears what was commanded while a bag is read.

    Args:
        bag: unpacks messages.
        robot: whose joints are looked for.
        offset_ns: what brings times of recording to the clock of the stamps.

    Attributes:
        topics: where commands are; empty where the bag has none.
        dropped: messages that could not be used, by reason.
    """

    def __init__(self, bag: Bag, robot: RobotModel, offset_ns: int) -> None:
        topic = find_commands(bag, robot)
        self.topics = [] if topic is None else [topic]
        self.dropped: Counter[str] = Counter()
        self._reader, self._offset_ns = CommandReader(bag, robot), offset_ns

    def hear(self, record: Record) -> tuple[int, np.ndarray, np.ndarray] | None:
        """Return stamp, arm joints (D,) and widths (2,); None for what is no command."""
        if record.topic not in self.topics:
            return None
        try:
            stamp_ns, (arms, _, width) = self._reader.read(record)
        except DataError as error:
            self.dropped[f"{record.topic}: {error}"[:200]] += 1
            return None
        return stamp_ns or record.log_ns + self._offset_ns, arms, width

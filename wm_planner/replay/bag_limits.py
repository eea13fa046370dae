"""The commands that lie in a bag, for the limit check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from wm_planner.errors import DataError
from wm_planner.limit_check import LimitCheck, Point
from wm_planner.messages.arrays import to_ns
from wm_planner.replay.bag import Bag
from wm_planner.robot.rig_description import RigDescription

TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"


def check_limits(bag: Path, rig: RigDescription) -> LimitCheck:
    """Return what every joint was told, and which of it broke limits.

    Raises:
        DataError: the bag cannot be read, or holds no command for the rig.
    """
    check = LimitCheck(rig)
    for told in _commands(bag, rig):
        try:
            check.take(told)
        except DataError as error:
            raise DataError(f"bag {bag}: {error}") from error
    if check.commands == 0:
        raise DataError(f"bag {bag}: no commands on {', '.join(_topics(rig))}")
    return check


def _commands(bag: Path, rig: RigDescription) -> Iterator[dict[str, list[Point]]]:
    """Yield each trajectory as the points of each joint, in the order of recording."""
    with Bag(bag) as opened:
        for record in opened.records(_topics(rig)):
            if record.type != TRAJECTORY:
                raise DataError(f"bag {bag}: {record.topic} is {record.type}, not {TRAJECTORY}")
            message = opened.unpack(record)
            start_ns = to_ns(message.header.stamp) or record.log_ns
            points: dict[str, list[Point]] = defaultdict(list)
            for point in message.points:
                time_ns = start_ns + to_ns(point.time_from_start)
                for index, name in enumerate(message.joint_names):
                    velocity = float(point.velocities[index]) if len(point.velocities) else None
                    points[name].append(Point(time_ns, float(point.positions[index]), velocity))
            yield points


def _topics(rig: RigDescription) -> list[str]:
    return [topic for hand in rig.hands for topic in (hand.arm_topic, hand.gripper_topic)]

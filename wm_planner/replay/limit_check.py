"""Whether what a bag says was sent to the arms keeps the limits of URDF and rig file.

Nothing here is shared with the planner's filters or the executor: limits are read from the URDF's
XML, and rates are differences of the set points that lie in the bag. So it also judges bags of
other versions, and of other planners.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from wm_planner.errors import DataError
from wm_planner.messages.arrays import to_ns
from wm_planner.replay.bag import Bag
from wm_planner.robot.rig_description import RigDescription

TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
PAUSE_S = 0.3  # after a longer silence of commands the arms are at rest: no acceleration to compare
TOLERANCE = 1e-6  # of a limit
QUANTITIES = ("position", "velocity", "acceleration")


@dataclass(frozen=True)
class Limits:
    """Of one joint; inf where there is none. Rates are rad or m per s and s^2."""

    lower: float
    upper: float
    velocity: float
    acceleration: float


@dataclass(frozen=True)
class Worst:
    """The largest share of a limit.

    Attributes:
        share: 1 is the limit; of a position, its distance from the middle of the range.
        at_s: when, from the first command on.
    """

    share: float = 0.0
    at_s: float = 0.0

    @property
    def violated(self) -> bool:
        """Whether it is over the limit; NaN is."""
        return not self.share <= 1.0 + TOLERANCE


@dataclass
class JointReport:
    """What one joint was told.

    Attributes:
        commands: set points with this joint.
        worst: by quantity.
    """

    commands: int = 0
    worst: dict[str, Worst] = field(default_factory=lambda: {name: Worst() for name in QUANTITIES})

    def note(self, quantity: str, share: float, at_s: float) -> None:
        """Keep the worst; NaN is."""
        if np.isnan(share) or share > self.worst[quantity].share:
            self.worst[quantity] = Worst(share, at_s)


@dataclass(frozen=True)
class _Point:
    time_ns: int
    position: float
    velocity: float | None


def read_limits(rig: RigDescription) -> dict[str, Limits]:
    """Return the stricter limits of URDF and rig file, of arm joints and fingers by name."""
    arms = set(rig.joint_names)
    wanted = arms | {name for hand in rig.hands for name in hand.gripper.joint_names}
    limits = {}
    for joint in ElementTree.parse(rig.urdf).getroot().iter("joint"):
        name, limit = joint.get("name", ""), joint.find("limit")
        if name not in wanted:
            continue
        given = {} if limit is None else {key: float(value) for key, value in limit.items()}
        bounded = joint.get("type") != "continuous"
        velocity = given.get("velocity") or np.inf  # many URDFs write 0 for "unknown"
        acceleration = given.get("acceleration", np.inf)
        if name in arms:
            velocity = min(velocity, rig.limits.velocity or np.inf)
            acceleration = min(acceleration, rig.limits.acceleration)
        limits[name] = Limits(
            given.get("lower", -np.inf) if bounded else -np.inf,
            given.get("upper", np.inf) if bounded else np.inf,
            velocity,
            acceleration,
        )
    missing = ", ".join(sorted(wanted - set(limits)))
    if missing:
        raise DataError(f"{rig.urdf}: has no joint {missing}")
    return limits


def check_limits(bag: Path, rig: RigDescription) -> dict[str, JointReport]:
    """Return what every joint was told, by its name.

    Raises:
        DataError: the bag cannot be read, or holds no command for the rig.
    """
    limits = read_limits(rig)
    reports = {name: JointReport() for name in limits}
    before: dict[str, _Point] = {}
    first_ns: int | None = None
    for points in _commands(bag, rig):
        for name, told in points.items():
            if name not in limits:
                raise DataError(f"bag {bag}: {name} is not a joint of the rig {rig.name}")
            first_ns = told[0].time_ns if first_ns is None else first_ns
            report, limit = reports[name], limits[name]
            report.commands += 1
            # From set point to set point, and within a message on the way that it describes.
            if name in before:
                _compare(report, limit, before[name], told[0], first_ns)
            for one, other in itertools.pairwise(told):
                _compare(report, limit, one, other, first_ns)
            for point in told:
                _judge(report, limit, point, first_ns)
            before[name] = told[0]
    if first_ns is None:
        topics = ", ".join(_topics(rig))
        raise DataError(f"bag {bag}: no commands on {topics}")
    return reports


def _judge(report: JointReport, limit: Limits, point: _Point, first_ns: int) -> None:
    at_s = (point.time_ns - first_ns) * 1e-9
    middle, half = (limit.upper + limit.lower) / 2, (limit.upper - limit.lower) / 2
    if np.isfinite(half):
        report.note("position", abs(point.position - middle) / half, at_s)
    if point.velocity is not None:
        report.note("velocity", abs(point.velocity) / limit.velocity, at_s)


def _compare(report: JointReport, limit: Limits, one: _Point, other: _Point, first_ns: int) -> None:
    passed_s = (other.time_ns - one.time_ns) * 1e-9
    at_s = (other.time_ns - first_ns) * 1e-9
    way = abs(other.position - one.position)
    if passed_s <= 0:  # told again, or something else for the same time
        report.note("velocity", np.inf if way > 1e-9 else 0.0, at_s)
        return
    report.note("velocity", way / passed_s / limit.velocity, at_s)
    if one.velocity is not None and other.velocity is not None and passed_s <= PAUSE_S:
        change = abs(other.velocity - one.velocity)
        report.note("acceleration", change / passed_s / limit.acceleration, at_s)


def _commands(bag: Path, rig: RigDescription) -> Iterator[dict[str, list[_Point]]]:
    """Yield each trajectory as the points of each joint, in the order of recording."""
    with Bag(bag) as opened:
        for record in opened.records(_topics(rig)):
            if record.type != TRAJECTORY:
                raise DataError(f"bag {bag}: {record.topic} is {record.type}, not {TRAJECTORY}")
            message = opened.unpack(record)
            start_ns = to_ns(message.header.stamp) or record.log_ns
            points: dict[str, list[_Point]] = defaultdict(list)
            for point in message.points:
                time_ns = start_ns + to_ns(point.time_from_start)
                for index, name in enumerate(message.joint_names):
                    velocity = float(point.velocities[index]) if len(point.velocities) else None
                    points[name].append(_Point(time_ns, float(point.positions[index]), velocity))
            yield points


def _topics(rig: RigDescription) -> list[str]:
    return [topic for hand in rig.hands for topic in (hand.arm_topic, hand.gripper_topic)]

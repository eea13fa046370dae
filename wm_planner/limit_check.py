"""Whether what is sent to the arms keeps the limits of URDF and rig file.

Nothing here is shared with the planner's filters or the executor: limits are read from the URDF's
XML, and rates are differences of set points. So it also judges bags of other versions, and of other
planners.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

import numpy as np

from wm_planner.errors import DataError
from wm_planner.robot.rig_description import RigDescription

PAUSE_S = 0.3  # after a longer silence of commands the arms are at rest: no acceleration to compare
TOLERANCE = 1e-6  # of a limit
QUANTITIES = ("position", "velocity", "acceleration", "jerk")


@dataclass(frozen=True)
class Limits:
    """Of one joint; inf where there is none. Rates are rad or m per s, s^2 and s^3."""

    lower: float
    upper: float
    velocity: float
    acceleration: float
    jerk: float


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

    def note(self, quantity: str, found: Worst) -> None:
        """Keep the worst; NaN is."""
        if np.isnan(found.share) or found.share > self.worst[quantity].share:
            self.worst[quantity] = found


@dataclass(frozen=True)
class Point:
    """Where a joint shall be: rad or m, and per s; None for a velocity that is not stated."""

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
        acceleration, jerk = given.get("acceleration", np.inf), given.get("jerk", np.inf)
        if name in arms:
            velocity = min(velocity, rig.limits.velocity or np.inf)
            acceleration = min(acceleration, rig.limits.acceleration)
            jerk = min(jerk, rig.limits.jerk or np.inf)
        limits[name] = Limits(
            given.get("lower", -np.inf) if bounded else -np.inf,
            given.get("upper", np.inf) if bounded else np.inf,
            velocity,
            acceleration,
            jerk,
        )
    missing = ", ".join(sorted(wanted - set(limits)))
    if missing:
        raise DataError(f"{rig.urdf}: has no joint {missing}")
    return limits


class LimitCheck:
    """Takes one command after the other, as they were sent.

    Attributes:
        reports: what every joint was told, by its name.
        commands: how many were taken.
        violations: those that broke a limit, of one joint or more.
    """

    def __init__(self, rig: RigDescription) -> None:
        self._limits = read_limits(rig)
        self.reports = {name: JointReport() for name in self._limits}
        self.commands = self.violations = 0
        self._rig_name = rig.name
        self._before: dict[str, tuple[Point, ...]] = {}
        self._first_ns: int | None = None

    def take(self, told: Mapping[str, Sequence[Point]]) -> None:
        """Judge a command, from the ones before and within itself.

        Args:
            told: by joint, the set point and what follows on the way that the command describes.
        """
        self.commands += 1
        violated = [self._take(name, points) for name, points in told.items()]  # look at them all
        self.violations += any(violated)

    def _take(self, name: str, told: Sequence[Point]) -> bool:
        """Judge what one joint is told, and say whether a limit is broken."""
        if name not in self._limits:
            raise DataError(f"{name} is not a joint of the rig {self._rig_name}")
        if self._first_ns is None:
            self._first_ns = told[0].time_ns
        limit, seen = self._limits[name], _Seen(self.reports[name], self._first_ns)
        seen.report.commands += 1
        before = self._before.get(name, ())
        # From set point to set point, and within a command on the way that it describes.
        for points in ((*before, told[0]), told):
            for one, other in itertools.pairwise(points):
                _compare(seen, limit, one, other)
            for triple in zip(points, points[1:], points[2:], strict=False):
                _bend(seen, limit, *triple)
        for point in told:
            _judge(seen, limit, point)
        self._before[name] = (*before, told[0])[-2:]
        return seen.violated


@dataclass
class _Seen:
    """What is noted of one joint in one command."""

    report: JointReport
    first_ns: int
    violated: bool = False

    def note(self, quantity: str, share: float, time_ns: int) -> None:
        worst = Worst(share, (time_ns - self.first_ns) * 1e-9)
        self.violated |= worst.violated
        self.report.note(quantity, worst)


def _judge(seen: _Seen, limit: Limits, point: Point) -> None:
    middle, half = (limit.upper + limit.lower) / 2, (limit.upper - limit.lower) / 2
    if np.isfinite(half):
        seen.note("position", abs(point.position - middle) / half, point.time_ns)
    if point.velocity is not None:
        seen.note("velocity", abs(point.velocity) / limit.velocity, point.time_ns)


def _compare(seen: _Seen, limit: Limits, one: Point, other: Point) -> None:
    passed_s = (other.time_ns - one.time_ns) * 1e-9
    way = abs(other.position - one.position)
    if passed_s <= 0:  # told again, or something else for the same time
        seen.note("velocity", np.inf if way > 1e-9 else 0.0, other.time_ns)
        return
    seen.note("velocity", way / passed_s / limit.velocity, other.time_ns)
    rate = _acceleration(one, other)
    if rate is not None:
        seen.note("acceleration", abs(rate) / limit.acceleration, other.time_ns)


def _bend(seen: _Seen, limit: Limits, one: Point, other: Point, last: Point) -> None:
    before, after = _acceleration(one, other), _acceleration(other, last)
    if before is not None and after is not None:
        passed_s = (last.time_ns - one.time_ns) / 2 * 1e-9  # between the middles of both ways
        seen.note("jerk", abs(after - before) / passed_s / limit.jerk, last.time_ns)


def _acceleration(one: Point, other: Point) -> float | None:
    """Return the mean between two points; None where nothing is known of it."""
    passed_s = (other.time_ns - one.time_ns) * 1e-9
    if one.velocity is None or other.velocity is None or not 0 < passed_s <= PAUSE_S:
        return None
    return (other.velocity - one.velocity) / passed_s

"""Whether the commands of an episode keep the limits, by the check that also judges bags."""

from __future__ import annotations

from wm_planner.limit_check import LimitCheck, Point
from wm_planner.robot.rig_description import RigDescription
from wm_planner.types import Command


class CommandCheck:
    """Counts commands and those that break a limit.

    Args:
        rig: whose limits count.
    """

    def __init__(self, rig: RigDescription) -> None:
        self._rig, self._check = rig, LimitCheck(rig)

    def take(self, command: Command) -> None:
        """Judge one command."""
        told = zip(command.joint_position, command.joint_velocity, strict=True)
        points = {
            name: [Point(command.stamp_ns, float(position), float(velocity))]
            for name, (position, velocity) in zip(self._rig.joint_names, told, strict=True)
        }
        for hand, width in zip(self._rig.hands, command.gripper_width, strict=True):
            fingers = zip(hand.gripper.joint_names, hand.gripper.joint_position(width), strict=True)
            for name, position in fingers:
                points[name] = [Point(command.stamp_ns, float(position), None)]
        self._check.take(points)

    @property
    def commands(self) -> int:
        """How many were taken."""
        return self._check.commands

    @property
    def violations(self) -> int:
        """Those that broke a limit of a joint or more."""
        return self._check.violations

"""Reads a rig's joint states: arms by name, gripper widths from the finger joints."""

from __future__ import annotations

from typing import Any

import numpy as np

from wm_planner.messages.arrays import to_ns
from wm_planner.messages.joints import joint_state_from_message
from wm_planner.observing.joint_history import JointSample
from wm_planner.robot.rig_description import RigDescription


class JointReader:
    """Turns messages into samples.

    Args:
        rig: which joints are whose.
    """

    def __init__(self, rig: RigDescription) -> None:
        self._rig = rig
        self._names = [*rig.joint_names]
        for hand in rig.hands:
            self._names += hand.gripper.joint_names

    def read(self, message: Any) -> JointSample:
        """Return arms and gripper openings.

        Raises:
            DataError: a joint is missing, doubled or not finite.
        """
        position, velocity = joint_state_from_message(message, self._names)
        arms = len(self._rig.joint_names)
        widths, first = [], arms
        for hand in self._rig.hands:
            last = first + len(hand.gripper.joint_names)
            width = float(hand.gripper.width(position[first:last]))
            # Fingers that squeeze past closed measure slightly below zero.
            widths.append(min(max(width, 0.0), hand.gripper.max_width))
            first = last
        stamp_ns = to_ns(message.header.stamp)
        return JointSample(stamp_ns, position[:arms], velocity[:arms], np.array(widths))

"""Reads a rig's joint states: arms by name, gripper widths from the finger joints.

Everything that speaks of the robot in its driver's names passes here: messages and imported files.
"""

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

    def read(self, message: Any) -> JointSample:
        """Return arms and gripper openings.

        Raises:
            DataError: a joint is missing, doubled or not finite.
        """
        position, velocity = joint_state_from_message(message, self._rig.message_joint_names)
        arms, width = split_joints(self._rig, position)
        stamp_ns = to_ns(message.header.stamp)
        return JointSample(stamp_ns, arms, velocity[: len(arms)], width)


def split_joints(rig: RigDescription, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return arm joints (..., D) in rad and gripper openings (..., 2) in m.

    Args:
        rig: which joints are whose.
        position: Shape (..., N), in the order of `message_joint_names`.
    """
    first = len(rig.joint_names)
    arms, widths = position[..., :first], []
    for hand in rig.hands:
        last = first + len(hand.gripper.message.joint_names)
        width = hand.gripper.message.width(position[..., first:last])
        # Fingers that squeeze past closed measure slightly below zero.
        widths.append(np.clip(width, 0.0, hand.gripper.max_width))
        first = last
    return arms, np.stack(widths, axis=-1)

"""Sends set points to the robot: one trajectory for each arm and each gripper, all for one instant.

An arm's trajectory is the set point and, behind it, the way to a stop. The controller replaces it
at the next tick; were there no next tick, it would brake and hold by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from wm_planner import msg
from wm_planner.nodes.conversions.joints import joint_trajectory_to_message
from wm_planner.nodes.conversions.plans import command_to_message
from wm_planner.nodes.topics import COMMAND_TOPIC, RELIABLE_QOS
from wm_planner.rigs.joint_trajectory_controller import JointTrajectory
from wm_planner.robot.hand_description import HandDescription
from wm_planner.robot.rig_description import RigDescription
from wm_planner.types import Command

#: Controllers refuse a trajectory that is over when it arrives: a late one shall still count.
SHORTEST_STOP_S = 0.1


class CommandPublisher:
    """Publishes commands on the rig's topics and, for the planner and for bags, on our own.

    Args:
        node: owns the publishers.
        rig: names and topics.
        acceleration_limit: shape (D,), rad/s^2.
    """

    def __init__(self, node: Node, rig: RigDescription, acceleration_limit: np.ndarray) -> None:
        self._rig, self._limit = rig, acceleration_limit
        self._arms = [self._publisher(node, hand.arm_topic) for hand in rig.hands]
        self._grippers = [self._publisher(node, hand.gripper_topic) for hand in rig.hands]
        self._commands = node.create_publisher(msg.Command, COMMAND_TOPIC, RELIABLE_QOS)

    def send(self, command: Command) -> None:
        """Send one set point to everything."""
        first = 0
        for index, hand in enumerate(self._rig.hands):
            part = slice(first, first + len(hand.joint_names))
            first = part.stop
            arm = arm_trajectory(hand, command, part, self._limit)
            self._arms[index].publish(joint_trajectory_to_message(arm))
            gripper = gripper_trajectory(hand, command, index)
            self._grippers[index].publish(joint_trajectory_to_message(gripper))
        self._commands.publish(command_to_message(command, self._rig.joint_names))

    @staticmethod
    def _publisher(node: Node, topic: str) -> Any:
        return node.create_publisher(JointTrajectoryMessage, topic, RELIABLE_QOS)


def arm_trajectory(
    hand: HandDescription, command: Command, part: slice, acceleration_limit: np.ndarray
) -> JointTrajectory:
    """Return the set point of one arm and the stop behind it.

    Args:
        hand: whose arm.
        command: for all D joints.
        part: which of them are this arm's.
        acceleration_limit: shape (D,), rad/s^2.
    """
    position, velocity = command.joint_position[part], command.joint_velocity[part]
    # One duration for all joints keeps the arm on the straight line in joint space.
    duration = float((np.abs(velocity) / acceleration_limit[part]).max(initial=SHORTEST_STOP_S))
    # Constant deceleration; a cubic between these two points is exactly that parabola.
    rest = position + velocity * duration / 2
    return JointTrajectory(
        joint_names=hand.message_names,
        start_ns=command.stamp_ns,
        time_from_start_ns=(0, round(duration * 1e9)),
        position=(tuple(position), tuple(rest)),
        velocity=(tuple(velocity), (0.0,) * len(rest)),
    )


def gripper_trajectory(hand: HandDescription, command: Command, index: int) -> JointTrajectory:
    """Return the set point of one gripper; without velocities, so that it moves evenly."""
    synergy = hand.gripper.message
    fingers = tuple(synergy.joint_position(command.gripper_width[index]))
    times = (0, round(SHORTEST_STOP_S * 1e9))
    return JointTrajectory(synergy.joint_names, command.stamp_ns, times, (fingers, fingers))

"""Sends set points to the robot: one trajectory for each arm and each gripper, all for one instant.

An arm's trajectory is the set point and, behind it, the way to a stop. The controller replaces it
at the next tick; were there no next tick, it would brake and hold by itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from wm_planner import msg
from wm_planner.executor import Motion
from wm_planner.nodes.conversions.joints import joint_trajectory_to_message
from wm_planner.nodes.conversions.plans import command_to_message
from wm_planner.nodes.topics import COMMAND_TOPIC, RELIABLE_QOS
from wm_planner.rigs.joint_trajectory_controller import JointTrajectory
from wm_planner.robot.hand_description import HandDescription
from wm_planner.robot.rig_description import RigDescription
from wm_planner.types import Command

#: Controllers refuse a trajectory that is over when it arrives: a late one shall still count.
SHORTEST_STOP_S = 0.1
STOP_STEP_S = 0.05  # at most, between points on the way to a stop


class CommandPublisher:
    """Publishes commands on the rig's topics and, for the planner and for bags, on our own.

    Args:
        node: owns the publishers.
        rig: names and topics.
    """

    def __init__(self, node: Node, rig: RigDescription) -> None:
        self._rig = rig
        self._arms = [self._publisher(node, hand.arm_topic) for hand in rig.hands]
        self._grippers = [self._publisher(node, hand.gripper_topic) for hand in rig.hands]
        self._commands = node.create_publisher(msg.Command, COMMAND_TOPIC, RELIABLE_QOS)

    def send(self, command: Command, stop: Motion | None) -> None:
        """Send one set point to everything, and to the arms the way to rest from there."""
        first = 0
        for index, hand in enumerate(self._rig.hands):
            part = slice(first, first + len(hand.joint_names))
            first = part.stop
            arm = arm_trajectory(hand, command, part, stop)
            self._arms[index].publish(joint_trajectory_to_message(arm))
            gripper = gripper_trajectory(hand, command, index)
            self._grippers[index].publish(joint_trajectory_to_message(gripper))
        self._commands.publish(command_to_message(command, self._rig.joint_names))

    @staticmethod
    def _publisher(node: Node, topic: str) -> Any:
        return node.create_publisher(JointTrajectoryMessage, topic, RELIABLE_QOS)


def arm_trajectory(
    hand: HandDescription, command: Command, part: slice, stop: Motion | None
) -> JointTrajectory:
    """Return the set point of one arm and the stop behind it.

    Args:
        hand: whose arm.
        command: for all D joints.
        part: which of them are this arm's.
        stop: the way from the set point to rest; None where it is at rest.
    """
    left_ns = 0 if stop is None else stop.end_ns - command.stamp_ns
    left_ns = max(left_ns, round(SHORTEST_STOP_S * 1e9))
    count = math.ceil(left_ns * 1e-9 / STOP_STEP_S)
    times = [round(left_ns * point / count) for point in range(count + 1)]
    position = [command.joint_position[part]] * len(times)
    velocity = [np.zeros_like(position[0])] * len(times)  # controllers insist: the last is exact
    velocity[0] = command.joint_velocity[part]
    if stop is not None:
        ahead = [stop.sample(command.stamp_ns + time) for time in times[1:]]
        position[1:] = [posture.position[part] for posture in ahead]
        velocity[1:-1] = [posture.velocity[part] for posture in ahead[:-1]]
    return JointTrajectory(
        joint_names=hand.message_names,
        start_ns=command.stamp_ns,
        time_from_start_ns=tuple(times),
        position=tuple(map(tuple, position)),
        velocity=tuple(map(tuple, velocity)),
    )


def gripper_trajectory(hand: HandDescription, command: Command, index: int) -> JointTrajectory:
    """Return the set point of one gripper; without velocities, so that it moves evenly."""
    synergy = hand.gripper.message
    fingers = tuple(synergy.joint_position(command.gripper_width[index]))
    times = (0, round(SHORTEST_STOP_S * 1e9))
    return JointTrajectory(synergy.joint_names, command.stamp_ns, times, (fingers, fingers))

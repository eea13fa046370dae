"""Joint states and joint trajectories: always by name, never by position in the message."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from trajectory_msgs.msg import JointTrajectoryPoint

from wm_planner.messages.arrays import to_ns
from wm_planner.nodes.conversions.arrays import flat, to_stamp
from wm_planner.rigs.joint_trajectory_controller import JointTrajectory


def joint_state_to_message(
    names: Sequence[str], position: np.ndarray, velocity: np.ndarray, stamp_ns: int
) -> JointState:
    """Describe measured joints: position (N,) rad or m, velocity (N,) rad/s or m/s."""
    message = JointState(name=list(names), position=flat(position), velocity=flat(velocity))
    message.header.stamp = to_stamp(stamp_ns)
    return message


def joint_trajectory_to_message(trajectory: JointTrajectory) -> JointTrajectoryMessage:
    """Turn timed waypoints into the message that a joint trajectory controller takes."""
    message = JointTrajectoryMessage(joint_names=list(trajectory.joint_names))
    message.header.stamp = to_stamp(trajectory.start_ns)
    velocities: Sequence[Sequence[float]] = trajectory.velocity or [()] * len(trajectory.position)
    for time_ns, position, velocity in zip(
        trajectory.time_from_start_ns, trajectory.position, velocities, strict=True
    ):
        since = Duration(sec=time_ns // 1_000_000_000, nanosec=time_ns % 1_000_000_000)
        message.points.append(
            JointTrajectoryPoint(
                positions=flat(position), velocities=flat(velocity), time_from_start=since
            )
        )
    return message


def joint_trajectory_from_message(message: JointTrajectoryMessage) -> JointTrajectory:
    """Turn a message into timed waypoints; nothing is judged here, the controller does that."""
    velocity = tuple(tuple(point.velocities) for point in message.points)
    return JointTrajectory(
        joint_names=tuple(message.joint_names),
        start_ns=to_ns(message.header.stamp),
        time_from_start_ns=tuple(to_ns(point.time_from_start) for point in message.points),
        position=tuple(tuple(point.positions) for point in message.points),
        velocity=velocity if any(velocity) else (),
    )

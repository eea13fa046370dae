"""What the simulated robot shows: cameras, joint states, /clock and, for judges, success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Bool

from wm_planner.nodes.conversions.arrays import to_stamp
from wm_planner.nodes.conversions.images import camera_info_message, image_to_message
from wm_planner.nodes.conversions.joints import joint_state_to_message
from wm_planner.nodes.topics import RELIABLE_QOS, SENSOR_QOS, SUCCESS_TOPIC
from wm_planner.robot.rig_description import RigDescription

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig


class RigPublishers:
    """Publishes one step of the simulation; called from the simulation's thread only.

    Args:
        node: owns the publishers.
        rig: names, topics and image sizes.
        camera_rate: images a second, Hz.
        clock: whether simulated time is published on /clock.
    """

    def __init__(self, node: Node, rig: RigDescription, camera_rate: float, clock: bool) -> None:
        self._rig = rig
        self._cameras = {name: camera for name, camera in rig.cameras.items() if camera.required}
        self._images = {
            name: node.create_publisher(Image, camera.topic, SENSOR_QOS)
            for name, camera in self._cameras.items()
        }
        self._infos = {
            name: node.create_publisher(CameraInfo, camera.info_topic, SENSOR_QOS)
            for name, camera in self._cameras.items()
        }
        self._joints = node.create_publisher(JointState, rig.topics.joint_states, SENSOR_QOS)
        self._success = node.create_publisher(Bool, SUCCESS_TOPIC, RELIABLE_QOS)
        self._clock = node.create_publisher(Clock, "/clock", RELIABLE_QOS) if clock else None
        self._names = rig.message_joint_names
        self._camera_period_ns = round(1e9 / camera_rate)
        self._next_image_ns = 0

    def publish(self, rig: MujocoRig, now_ns: int) -> None:
        """Send what sensors would show at ``now_ns``, ROS time."""
        if self._clock is not None:
            self._clock.publish(Clock(clock=to_stamp(now_ns)))
        position, velocity, width = rig.joint_state()
        fingers = [
            hand.gripper.message.joint_position(w)
            for hand, w in zip(self._rig.hands, width, strict=True)
        ]
        moving = np.concatenate([position, *fingers])
        speeds = np.concatenate([velocity, np.zeros(len(moving) - len(velocity))])
        self._joints.publish(joint_state_to_message(self._names, moving, speeds, now_ns))
        if now_ns < self._next_image_ns:
            return
        self._next_image_ns = now_ns - now_ns % self._camera_period_ns + self._camera_period_ns
        self._success.publish(Bool(data=rig.succeeded()))
        for name, camera in self._cameras.items():
            image = rig.render(name, camera.height, camera.width)
            frame = f"{name}_camera"
            self._images[name].publish(image_to_message(image, now_ns, frame))
            lens = rig.lens(name, camera.height, camera.width)
            info = camera_info_message(lens, now_ns, frame)
            self._infos[name].publish(info)

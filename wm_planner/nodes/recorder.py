"""Records the running graph into a rosbag2 (mcap), as the very bytes that came over the wire."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosbags.rosbag2 import StoragePlugin, Writer
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from wm_planner import msg
from wm_planner.messages.bag_types import bag_types
from wm_planner.nodes import topics
from wm_planner.robot.rig_description import RigDescription


def recorded_topics(rig: RigDescription) -> dict[str, tuple[Any, QoSProfile]]:
    """Return message class and quality of service of everything worth keeping, by topic."""
    wanted: dict[str, tuple[Any, QoSProfile]] = {
        rig.topics.joint_states: (JointState, topics.SENSOR_QOS),
        rig.topics.emergency_stop: (Bool, topics.LATCHED_QOS),
        "/" + topics.PLAN_TOPIC: (msg.Plan, topics.RELIABLE_QOS),
        "/" + topics.REPORT_TOPIC: (msg.PlanReport, topics.RELIABLE_QOS),
        "/" + topics.COMMAND_TOPIC: (msg.Command, topics.RELIABLE_QOS),
        "/" + topics.EXECUTOR_STATE_TOPIC: (msg.ExecutorState, topics.RELIABLE_QOS),
        "/" + topics.TASK_PROGRESS_TOPIC: (msg.TaskProgress, topics.RELIABLE_QOS),
        "/" + topics.SUCCESS_TOPIC: (Bool, topics.RELIABLE_QOS),
        topics.DIAGNOSTICS_TOPIC: (DiagnosticArray, topics.RELIABLE_QOS),
        "/clock": (Clock, topics.RELIABLE_QOS),
    }
    for camera in rig.cameras.values():
        if camera.required:
            wanted[camera.topic] = (Image, topics.SENSOR_QOS)
            wanted[camera.info_topic] = (CameraInfo, topics.SENSOR_QOS)
    for hand in rig.hands:
        wanted[hand.arm_topic] = (JointTrajectory, topics.RELIABLE_QOS)
        wanted[hand.gripper_topic] = (JointTrajectory, topics.RELIABLE_QOS)
    return wanted


class Recorder(Node):
    """Writes a bag while it exists; `close` finishes the bag.

    Args:
        folder: of the bag; must not exist yet.
        rig: whose topics are recorded.
    """

    def __init__(self, folder: Path, rig: RigDescription, **options: Any) -> None:
        super().__init__("recorder", **options)
        self.counts: dict[str, int] = {}
        self._lock = threading.Lock()  # callbacks and `close` come from different threads
        self._writer: Writer | None = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        store = bag_types()
        group = MutuallyExclusiveCallbackGroup()
        for topic, (kind, quality) in recorded_topics(rig).items():
            name = "/".join((kind.__module__.split(".")[0], "msg", kind.__name__))
            connection = self._writer.add_connection(topic, name, typestore=store)
            self.create_subscription(
                kind,
                topic,
                partial(self._write, connection),
                quality,
                callback_group=group,
                raw=True,
            )

    def close(self) -> None:
        """Finish the bag; later messages are ignored."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _write(self, connection: Any, data: bytes) -> None:
        with self._lock:
            if self._writer is not None:
                stamp_ns = self.get_clock().now().nanoseconds
                self._writer.write(connection, stamp_ns, data)
                self.counts[connection.topic] = self.counts.get(connection.topic, 0) + 1

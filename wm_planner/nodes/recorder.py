"""Records the running graph into a rosbag2 (mcap), as the very bytes that came over the wire."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterEvent
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from wm_planner import msg
from wm_planner.nodes import topics
from wm_planner.nodes.bag_file import BagFile
from wm_planner.nodes.parameter_snapshot import ParameterSnapshot
from wm_planner.robot.rig_description import RigDescription


def recorded_topics(
    rig: RigDescription, compressed: bool = False
) -> dict[str, tuple[Any, QoSProfile]]:
    """Return message class and quality of service of everything worth keeping, by topic."""
    picture, ending = (CompressedImage, "/compressed") if compressed else (Image, "")
    wanted: dict[str, tuple[Any, QoSProfile]] = {
        rig.topics.joint_states: (JointState, topics.JOINTS_QOS),
        rig.topics.emergency_stop: (Bool, topics.LATCHED_QOS),
        "/" + topics.PLAN_TOPIC: (msg.Plan, topics.RELIABLE_QOS),
        "/" + topics.REPORT_TOPIC: (msg.PlanReport, topics.RELIABLE_QOS),
        "/" + topics.COMMAND_TOPIC: (msg.Command, topics.RELIABLE_QOS),
        "/" + topics.EXECUTOR_STATE_TOPIC: (msg.ExecutorState, topics.RELIABLE_QOS),
        "/" + topics.TASK_PROGRESS_TOPIC: (msg.TaskProgress, topics.RELIABLE_QOS),
        "/" + topics.SUCCESS_TOPIC: (Bool, topics.RELIABLE_QOS),
        topics.DIAGNOSTICS_TOPIC: (DiagnosticArray, topics.RELIABLE_QOS),
        topics.PARAMETER_EVENTS_TOPIC: (ParameterEvent, topics.PARAMETER_EVENTS_QOS),
        "/clock": (Clock, topics.RELIABLE_QOS),
    }
    for camera in rig.cameras.values():
        if camera.required:
            wanted[camera.topic + ending] = (picture, topics.SENSOR_QOS)
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
        compressed: whether the cameras' compressed pictures are recorded, instead of raw ones.

    Attributes:
        counts: messages by topic.
    """

    def __init__(
        self, folder: Path, rig: RigDescription, compressed: bool = False, **options: Any
    ) -> None:
        super().__init__("recorder", **options)
        self.counts: dict[str, int] = {}
        self._lock = threading.Lock()  # callbacks and `close` come from different threads
        self._bag, self._open = BagFile(folder), True
        self._problem = ""
        connections: dict[str, Any] = {}
        group = MutuallyExclusiveCallbackGroup()
        for topic, (kind, quality) in recorded_topics(rig, compressed).items():
            name = "/".join((kind.__module__.split(".")[0], "msg", kind.__name__))
            connection = connections[topic] = self._bag.add_topic(topic, name)
            self.create_subscription(
                kind,
                topic,
                partial(self._write, connection),
                quality,
                callback_group=group,
                raw=True,
            )
        # What was set before the recording begins is in no event that it hears.
        events = connections[topics.PARAMETER_EVENTS_TOPIC]
        ParameterSnapshot(self, topics.PLANNING_NODES, partial(self._write, events))

    @property
    def problem(self) -> str:
        """Why nothing is recorded any more; empty while all is well."""
        return self._problem or self._bag.problem

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._bag.size

    def close(self) -> None:
        """Finish the bag; later messages are ignored.

        Raises:
            DataError: it could not be finished.
        """
        with self._lock:
            if self._open:
                self._open = False
                self._bag.close()

    def _write(self, connection: Any, data: bytes) -> None:
        with self._lock:
            if not self._open or self.problem:
                return
            stamp_ns = self.get_clock().now().nanoseconds
            if stamp_ns == 0:
                return  # simulated time has not begun
            try:
                self._bag.write(connection, stamp_ns, data)
            except OSError as error:
                self._problem = error.strerror or str(error)
                return
            self.counts[connection.topic] = self.counts.get(connection.topic, 0) + 1

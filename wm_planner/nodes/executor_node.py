"""Node `executor`: carries out plans against the clock, in a process of its own.

The tick is a thread with absolute deadlines; callbacks only leave news for it. After a stop
nothing is published until a plan comes that was made afterwards.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from wm_planner import msg
from wm_planner.errors import WmPlannerError
from wm_planner.executor import Executor, ExecutorSettings, ExecutorState, Hold
from wm_planner.messages.plans import plan_from_message
from wm_planner.nodes import topics
from wm_planner.nodes.command_publisher import CommandPublisher
from wm_planner.nodes.configured import declare_config, read_config
from wm_planner.nodes.executor_reporter import ExecutorReporter
from wm_planner.nodes.heartbeat import HeartbeatPublisher
from wm_planner.nodes.input_watch import InputWatch
from wm_planner.nodes.parameters import Parameters
from wm_planner.nodes.ticker import Ticker
from wm_planner.observing.joint_reader import JointReader
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import setting


@dataclass(frozen=True)
class ExecutorNodeSettings(ExecutorSettings):
    """The executor's settings with what only a graph has."""

    camera_timeout_s: float = setting(0.5, "s", 0.01, 10.0, "silence of a camera that stops")


class ExecutorNode(Node):
    """Plans, joint states and heartbeats in; timed set points out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("executor", **options)
        declare_config(self)
        config = read_config(self)
        defaults = asdict(config.executor)
        self._settings = Parameters(self, ExecutorNodeSettings, defaults, read_only=("period_s",))
        rig = find_rig(config.rig)
        robot = RobotModel(rig)
        self._lock = threading.Lock()
        self._core = Executor(robot, self._settings.current)
        self._joint_names = rig.joint_names
        self._reader = JointReader(rig)
        self._commands = CommandPublisher(self, rig)
        self._reporter = ExecutorReporter(self, self._core)
        cameras = [name for name, camera in rig.cameras.items() if camera.required]
        self._cameras = InputWatch([f"camera {name}" for name in cameras])
        for name in cameras:
            # Raw: only the arrival counts, the pixels are not unpacked.
            heard = partial(self._frame, f"camera {name}")
            topic = topics.frames_topic(name)
            self.create_subscription(Image, topic, heard, topics.SENSOR_QOS, raw=True)
        self.create_subscription(
            JointState, rig.topics.joint_states, self._joints, topics.SENSOR_QOS
        )
        self.create_subscription(msg.Plan, topics.PLAN_TOPIC, self._plan, topics.RELIABLE_QOS)
        self.create_subscription(
            msg.Heartbeat, topics.HEARTBEAT_TOPIC, self._heartbeat, topics.HEARTBEAT_QOS
        )
        stop = rig.topics.emergency_stop
        self._stop_pressed = False
        for quality in topics.EMERGENCY_STOP_QOS:
            self.create_subscription(Bool, stop, self._emergency_stop, quality)
        self.create_service(Trigger, topics.ESTOP_RESET_SERVICE, self._reset)
        self._planner = f"{self.get_namespace().rstrip('/')}/planner"
        self._heart = HeartbeatPublisher(
            self, lambda: (self._core.state.value.lower(), self._core.reason)
        )
        self._ticker = Ticker(self.get_clock(), self._settings.current.period_s, self._tick)
        self._ticker.start()

    def destroy_node(self) -> None:
        """End the tick before the publishers go."""
        self._ticker.close()
        self._heart.close()
        super().destroy_node()

    def _tick(self, now_ns: int) -> None:
        with self._lock:
            settings = self._core.settings = self._settings.current
            if self._core.state is ExecutorState.EXECUTING:
                complaint = self._cameras.complaint(now_ns, settings.camera_timeout_s)
                if complaint:
                    self._core.stop(complaint, now_ns)
            command = self._core.next_command(now_ns)
            if not isinstance(command, Hold):
                self._commands.send(command, self._core.stop_in_hand)
            step = -1 if isinstance(command, Hold) else command.step
            self._reporter.tell(now_ns, step, self._ticker)

    def _frame(self, name: str, data: bytes) -> None:
        self._cameras.heard(name, self._now_ns())

    def _joints(self, message: JointState) -> None:
        try:
            sample = self._reader.read(message)
        except WmPlannerError as error:  # as good as silence
            self.get_logger().error(str(error), throttle_duration_sec=5.0)
            return
        with self._lock:
            self._core.see_joints(sample.position, sample.width, self._now_ns())

    def _plan(self, message: msg.Plan) -> None:
        with self._lock:
            if message.horizon == 0:
                self._core.stop("the task is over", self._now_ns())
                return
            try:
                plan = plan_from_message(message, self._joint_names)
                refusal = self._core.set_plan(plan, self._now_ns())
            except WmPlannerError as error:
                refusal = str(error)
        if refusal:
            self.get_logger().warning(f"plan {message.plan_id} refused: {refusal}")

    def _heartbeat(self, message: msg.Heartbeat) -> None:
        if message.node == self._planner and message.state == "active":
            with self._lock:
                self._core.see_planner(self._now_ns())

    def _emergency_stop(self, message: Bool) -> None:
        self._stop_pressed = message.data
        if message.data:
            with self._lock:
                self._core.emergency_stop()

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = not self._stop_pressed
        response.message = "the emergency stop is still pressed" if self._stop_pressed else "reset"
        if response.success:
            with self._lock:
                self._core.reset(self._now_ns())
        return response

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

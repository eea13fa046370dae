"""Lifecycle node `planner`: observations and goals in, plans and reports out."""

from __future__ import annotations

import math
import threading
from dataclasses import asdict
from typing import Any

from sensor_msgs.msg import Image, JointState

from wm_planner import msg
from wm_planner.assembly import build_scorers, load_bundles
from wm_planner.errors import ConfigurationError, WmPlannerError
from wm_planner.nodes import topics
from wm_planner.nodes.configured import declare_config, read_config
from wm_planner.nodes.conversions.arrays import to_ns, to_stamp
from wm_planner.nodes.conversions.images import image_from_message
from wm_planner.nodes.conversions.plans import (
    command_from_message,
    plan_to_message,
    report_to_message,
)
from wm_planner.nodes.execute_task_server import ExecuteTaskServer
from wm_planner.nodes.heartbeat import FAST_PERIOD_S
from wm_planner.nodes.joint_reader import JointReader
from wm_planner.nodes.mailbox import Mailbox
from wm_planner.nodes.observation_assembler import ObservationAssembler
from wm_planner.nodes.parameters import Parameters
from wm_planner.nodes.remote_stages import remote_stages
from wm_planner.nodes.stage_node import StageNode
from wm_planner.nodes.stages import LocalStages
from wm_planner.nodes.task_runner import Outcome, TaskRunner, TaskSettings
from wm_planner.planner import Planner, PlannerSettings
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import Goal, Plan, ReplanReason


class PlannerNode(StageNode):
    """Serves one task at a time; each frame wakes the worker, which looks and plans where due.

    Args:
        stages: those of the same process; None to reach them through their services.
    """

    def __init__(self, stages: LocalStages | None = None, **options: Any) -> None:
        super().__init__("planner", FAST_PERIOD_S, **options)
        declare_config(self)
        self.declare_parameter("seed", 0)
        self._local = stages
        self._planning = Parameters(self, PlannerSettings, self._configured_planner())
        self._tasks = Parameters(self, TaskSettings)
        self._task: TaskRunner | None = None
        self._sending = threading.Lock()  # no plan may leave after its task has ended
        self._entities: list[Any] = []
        self._mailbox: Mailbox | None = None
        self._server: ExecuteTaskServer | None = None

    def build(self) -> None:
        config = read_config(self)
        rig = find_rig(config.rig)
        bundles = load_bundles(config, rig)
        robot = RobotModel(rig)
        if self._local is not None:
            model, inverse, filters = self._local.complete()
        else:
            model, inverse, filters = remote_stages(self, bundles, robot.joint_names)
        scorers = build_scorers(config)
        self._planner = Planner(model, inverse, robot, filters, scorers, self._planning.current)
        self._joint_names, self._reader = robot.joint_names, JointReader(rig)
        spec = model.spec
        self._assembler = ObservationAssembler(robot, spec.camera, spec.dt, spec.context_frames)
        self._mailbox = Mailbox("planner")
        reliable, sensor = topics.RELIABLE_QOS, topics.SENSOR_QOS
        self._plans = self.create_publisher(msg.Plan, topics.PLAN_TOPIC, reliable)
        self._reports = self.create_publisher(msg.PlanReport, topics.REPORT_TOPIC, reliable)
        self._progress = self.create_publisher(
            msg.TaskProgress, topics.TASK_PROGRESS_TOPIC, reliable
        )
        self._entities = [self._plans, self._reports, self._progress]
        for kind, topic, heard, quality in (
            (Image, topics.frames_topic(spec.camera), self._frame, sensor),
            (JointState, rig.topics.joint_states, self._joints, sensor),
            (msg.Command, topics.COMMAND_TOPIC, self._command, reliable),
            (msg.ExecutorState, topics.EXECUTOR_STATE_TOPIC, self._executor_state, reliable),
        ):
            self._entities.append(self.create_subscription(kind, topic, heard, quality))
        self._server = ExecuteTaskServer(
            self, lambda: self.is_active, self._begin, self._proceed, self._finish
        )

    def release(self) -> None:
        if self._server is not None:
            self._server.destroy()
        if self._mailbox is not None:
            self._mailbox.close()
        self._server = self._mailbox = None
        for entity in self._entities:
            self.destroy_publisher(entity)
            self.destroy_subscription(entity)
        self._entities.clear()

    # -- callbacks: leave news and return ---------------------------------------------------------
    def _frame(self, message: Image) -> None:
        stamp_ns = to_ns(message.header.stamp)
        if self.is_active and self._assembler.add_frame(stamp_ns, image_from_message(message)):
            task = self._task
            if task is not None and task.status.outcome is None and self._mailbox is not None:
                self._mailbox.put(lambda: self._cycle(task))

    def _joints(self, message: JointState) -> None:
        try:
            self._assembler.add_joints(self._reader.read(message))
        except WmPlannerError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)

    def _command(self, message: msg.Command) -> None:
        self._assembler.add_command(command_from_message(message, self._joint_names))

    def _executor_state(self, message: msg.ExecutorState) -> None:
        task = self._task
        if task is not None and message.state == msg.ExecutorState.ESTOPPED:
            task.end(Outcome.STOPPED, message.reason)
        elif task is not None and message.state == msg.ExecutorState.STOPPED:
            task.replan_after(to_ns(message.stamp), ReplanReason.STALE_OBSERVATION)

    # -- the task: called by the action server's thread -------------------------------------------
    def _begin(self, goal: Goal, timeout_s: float) -> TaskRunner:
        self._planner.settings = self._planning.current
        seed = self.get_parameter("seed").value
        now_ns = self.get_clock().now().nanoseconds
        self._task = TaskRunner(self._planner, goal, now_ns, timeout_s, seed)
        return self._task

    def _proceed(self, task: TaskRunner) -> None:
        task.check_time(self.get_clock().now().nanoseconds, self._tasks.current)

    def _finish(self, task: TaskRunner) -> None:
        """Take back the plan: an empty one tells the executor to come to a stop."""
        with self._sending:
            self._task = None
            self._plans.publish(msg.Plan(horizon=0))

    # -- the worker's thread ----------------------------------------------------------------------
    def _cycle(self, task: TaskRunner) -> None:
        window = self._assembler.window()
        if window is None or task.status.outcome is not None:
            return
        self._planner.settings = self._planning.current
        settings = self._tasks.current
        result = task.cycle(window, self.get_clock().now().nanoseconds, settings)
        with self._sending:
            if result is not None and task.status.outcome is None:
                report, reason = result
                if isinstance(report.plan, Plan):
                    self._plans.publish(plan_to_message(report.plan, self._joint_names))
                self._reports.publish(report_to_message(report, reason))
        self._tell(task, window.newest_stamp_ns, settings)

    def _tell(self, task: TaskRunner, stamp_ns: int, settings: TaskSettings) -> None:
        status, reading = task.status, task.status.reading
        asked = task.goal.instruction
        self._progress.publish(
            msg.TaskProgress(
                stamp=to_stamp(stamp_ns),
                instruction=asked or "",
                stage=status.stage,
                value=math.nan if reading is None else reading.value,
                value_limit=settings.success_value if asked else math.nan,
                reached_frames=0 if reading is None else reading.frames,
                elapsed_s=(self.get_clock().now().nanoseconds - task.begun_ns) * 1e-9,
            )
        )

    def _configured_planner(self) -> dict[str, Any]:
        try:
            return asdict(read_config(self).planner)
        except ConfigurationError:
            return {}  # configure will refuse with the reason; the node stays alive for it

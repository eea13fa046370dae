"""Lifecycle node `planner`: observations and goals in, plans and reports out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sensor_msgs.msg import Image, JointState

from wm_planner import msg
from wm_planner.assembly import build_filters, build_scorers, load_bundles
from wm_planner.bundle import WORLD_MODEL
from wm_planner.errors import WmPlannerError
from wm_planner.messages.arrays import to_ns
from wm_planner.messages.images import image_from_message
from wm_planner.messages.plans import command_from_message
from wm_planner.nodes import topics
from wm_planner.nodes.configured import declare_config, read_config, readable_config
from wm_planner.nodes.execute_task_server import ExecuteTaskServer, TaskRequest
from wm_planner.nodes.heartbeat import FAST_PERIOD_S
from wm_planner.nodes.live_settings import LiveSettings
from wm_planner.nodes.mailbox import Mailbox
from wm_planner.nodes.parameters import Parameters
from wm_planner.nodes.planner_publishers import PlannerPublishers
from wm_planner.nodes.remote_stages import remote_stages
from wm_planner.nodes.stage_node import StageNode
from wm_planner.nodes.stages import LocalStages
from wm_planner.observing.joint_reader import JointReader
from wm_planner.observing.known_view import ViewSettings, open_view
from wm_planner.observing.observation_assembler import ObservationAssembler
from wm_planner.planner import Planner, PlannerSettings
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.task.sub_goals import SubGoals
from wm_planner.task.task_runner import Outcome, TaskRunner, TaskSettings
from wm_planner.types import ReplanReason


class PlannerNode(StageNode):
    """Serves one task at a time; each observation wakes the worker, which looks and plans.

    Args:
        stages: those of the same process; None to reach them through their services.
    """

    def __init__(self, stages: LocalStages | None = None, **options: Any) -> None:
        super().__init__("planner", FAST_PERIOD_S, **options)
        declare_config(self)
        self.declare_parameter("seed", 0)
        self._local = stages
        config = readable_config(self)
        sections = ("planner", "replanning", "goals", "view")
        told = {name: asdict(getattr(config, name)) if config else {} for name in sections}
        self._planning = Parameters(self, PlannerSettings, told["planner"])
        self._tasks = Parameters(self, TaskSettings, {**told["replanning"], **told["goals"]})
        self._looking = Parameters(self, ViewSettings, told["view"], prefix="view")
        scorers = config.scorers if config else {}
        self._scoring = LiveSettings(self, {f"scorers.{n}": one for n, one in scorers.items()})
        self._task: TaskRunner | None = None
        self._heard: list[Any] = []
        self._sent: PlannerPublishers | None = None
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
            own = build_filters(config, robot)
            model, inverse, filters = remote_stages(self, bundles, robot.joint_names, own)
        scorers = build_scorers(config, bundles[WORLD_MODEL])
        self._scorers = dict(zip((f"scorers.{n}" for n in config.scorers), scorers, strict=True))
        self._planner = Planner(model, inverse, robot, filters, scorers, self._planning.current)
        self._joint_names, self._reader = robot.joint_names, JointReader(rig)
        spec, self._look_ahead_s = model.spec, config.executor.look_ahead_s
        self._view = open_view(config.view, rig, spec.camera)
        self._assembler = ObservationAssembler(
            robot, spec.camera, spec.dt, spec.context_frames, self._view
        )
        self._mailbox = Mailbox("planner")
        self._sent = PlannerPublishers(self, robot.joint_names)
        reliable, sensor = topics.RELIABLE_QOS, topics.SENSOR_QOS
        for kind, topic, heard, quality in (
            (Image, topics.frames_topic(spec.camera), self._frame, sensor),
            (JointState, rig.topics.joint_states, self._joints, topics.JOINTS_QOS),
            (msg.Command, topics.COMMAND_TOPIC, self._command, reliable),
            (msg.ExecutorState, topics.EXECUTOR_STATE_TOPIC, self._executor_state, reliable),
        ):
            self._heard.append(self.create_subscription(kind, topic, heard, quality))
        self._server = ExecuteTaskServer(
            self, lambda: self.is_active, self._begin, self._proceed, self._finish
        )

    def release(self) -> None:
        if self._server is not None:
            self._server.destroy()
        if self._mailbox is not None:
            self._mailbox.close()
        self._server = self._mailbox = None
        if self._sent is not None:
            self._sent.destroy()
        self._sent = None
        for subscription in self._heard:
            self.destroy_subscription(subscription)
        self._heard.clear()

    # -- callbacks: leave news and return ---------------------------------------------------------
    def _frame(self, message: Image) -> None:
        stamp_ns = to_ns(message.header.stamp)
        if self.is_active and self._assembler.add_frame(stamp_ns, image_from_message(message)):
            self._wake()

    def _joints(self, message: JointState) -> None:
        try:
            if self._assembler.add_joints(self._reader.read(message)):
                self._wake()
        except WmPlannerError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)

    def _command(self, message: msg.Command) -> None:
        self._assembler.add_command(command_from_message(message, self._joint_names))

    def _executor_state(self, message: msg.ExecutorState) -> None:
        task, stamp_ns = self._task, to_ns(message.stamp)
        if task is None:
            return
        task.replanning.hear_executor(message.plan_id, stamp_ns)
        if message.state == msg.ExecutorState.ESTOPPED:
            task.end(Outcome.STOPPED, message.reason)
        elif message.state == msg.ExecutorState.STOPPED:
            task.replan_after(stamp_ns, ReplanReason.STALE_OBSERVATION)

    def _wake(self) -> None:
        """Have the worker look at the newest observation."""
        task = self._task
        if task is not None and task.status.outcome is None and self._mailbox is not None:
            self._mailbox.put(lambda: self._cycle(task))

    # -- the task: called by the action server's thread -------------------------------------------
    def _begin(self, request: TaskRequest) -> TaskRunner:
        self._planner.settings = self._planning.current
        now_ns, seed = self.get_clock().now().nanoseconds, self.get_parameter("seed").value
        goals = SubGoals(
            *(self._planner.world_model, request.goals, now_ns),
            first=request.first,
            timeouts_s=request.goal_timeouts_s,
        )
        self._task = TaskRunner(
            self._planner, goals, now_ns, request.timeout_s, seed, self._look_ahead_s
        )
        return self._task

    def _proceed(self, task: TaskRunner) -> None:
        task.check_time(self.get_clock().now().nanoseconds, self._tasks.current)

    def _finish(self, task: TaskRunner) -> None:
        self._task = None
        if self._sent is not None:
            self._sent.take_back()

    # -- the worker's thread ----------------------------------------------------------------------
    def _cycle(self, task: TaskRunner) -> None:
        if self._view is not None:
            self._view.settings = self._looking.current
        window, sent = self._assembler.window(), self._sent
        if window is None or sent is None or task.status.outcome is not None:
            return
        changed = str(self._view) if self._view is not None else ""
        if changed:
            self.get_logger().warning(changed, throttle_duration_sec=10.0)
        self._planner.settings = self._planning.current
        self._scoring.apply(self._scorers)
        if self._local is not None:
            self._local.settle()
        settings = self._tasks.current
        result = task.cycle(window, self.get_clock().now().nanoseconds, settings)
        if result is not None:
            report, reason = result
            report = task.send(report, self.get_clock().now().nanoseconds, settings)
            sent.send(task, report, reason)
        sent.tell(task, window.newest_stamp_ns, settings)

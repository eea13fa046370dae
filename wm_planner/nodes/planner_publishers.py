"""What the planner tells the graph: plans, reports on how they came about, progress of the task."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from rclpy.node import Node

from wm_planner import msg
from wm_planner.nodes import topics
from wm_planner.nodes.conversions.arrays import to_stamp
from wm_planner.nodes.conversions.plans import plan_to_message, report_to_message
from wm_planner.planner import PlanReport
from wm_planner.task.task_runner import TaskRunner, TaskSettings
from wm_planner.types import Plan, ReplanReason


class PlannerPublishers:
    """Sends nothing for a task that has ended: no plan may follow its own end.

    Args:
        node: owns the publishers.
        joint_names: the D columns.
    """

    def __init__(self, node: Node, joint_names: Sequence[str]) -> None:
        self._node, self._joint_names = node, tuple(joint_names)
        self._lock = threading.Lock()
        quality = topics.RELIABLE_QOS
        self._plans = node.create_publisher(msg.Plan, topics.PLAN_TOPIC, quality)
        self._reports = node.create_publisher(msg.PlanReport, topics.REPORT_TOPIC, quality)
        self._progress = node.create_publisher(
            msg.TaskProgress, topics.TASK_PROGRESS_TOPIC, quality
        )

    def destroy(self) -> None:
        """Give the publishers back."""
        for publisher in (self._plans, self._reports, self._progress):
            self._node.destroy_publisher(publisher)

    def send(self, task: TaskRunner, report: PlanReport, reason: ReplanReason) -> None:
        """Send a plan to the executor, and how it came about to everybody."""
        with self._lock:
            if task.status.outcome is None:
                if isinstance(report.plan, Plan):
                    self._plans.publish(plan_to_message(report.plan, self._joint_names))
                self._reports.publish(report_to_message(report, reason))

    def take_back(self) -> None:
        """Send an empty plan, which tells the executor to come to a stop."""
        with self._lock:
            self._plans.publish(msg.Plan(horizon=0))

    def tell(self, task: TaskRunner, stamp_ns: int, settings: TaskSettings) -> None:
        """Send how the task is coming along, as of the observation at ``stamp_ns``."""
        status, reading, drift = task.status, task.status.reading, task.status.drift
        reasons = task.replanning.reasons
        now_ns = self._node.get_clock().now().nanoseconds
        goals, asked = task.goals, task.goals.goal.instruction
        self._progress.publish(
            msg.TaskProgress(
                stamp=to_stamp(stamp_ns),
                goal=goals.reached,
                goals=len(goals.goals),
                retries=goals.retries,
                instruction=asked or "",
                stage=status.stage,
                value=math.nan if reading is None else reading.value,
                value_limit=settings.success_value if asked else math.nan,
                reached_frames=0 if reading is None else reading.frames,
                elapsed_s=(now_ns - task.begun_ns) * 1e-9,
                drifted=drift is not None and drift.drifted,
                drift=math.nan if drift is None else drift.cost,
                drift_limit=settings.drift_limit,
                dream_step=math.nan if drift is None else drift.step,
                lateness=math.nan if drift is None else drift.lateness,
                planning_delay_s=task.replanning.delay_s(settings),
                replan_reasons=[reason.value for reason in reasons],
                replans=list(reasons.values()),
            )
        )

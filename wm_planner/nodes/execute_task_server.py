"""The action `execute_task`: goals in, one client at a time, feedback, cancel, a typed result."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.action.server import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from wm_planner.action import ExecuteTask
from wm_planner.errors import DataError, WmPlannerError
from wm_planner.nodes.conversions.stages import goal_from_message
from wm_planner.nodes.topics import EXECUTE_TASK_ACTION
from wm_planner.task.task_runner import Outcome, TaskRunner
from wm_planner.types import Goal, Plan

FEEDBACK_PERIOD_S = 0.2


@dataclass(frozen=True)
class TaskRequest:
    """What a client asks for; as in ExecuteTask.action."""

    goals: tuple[Goal, ...]
    first: int
    goal_timeouts_s: tuple[float, ...]
    timeout_s: float


class ExecuteTaskServer:
    """Turns action goals into tasks and reports on them.

    Args:
        node: owns the action server.
        ready: whether goals can be served now; otherwise they are refused at the door.
        begin: starts a task; raises to refuse it.
        proceed: called while a task runs, several times a second; ends it where that is due.
        finish: stops the arms; called once after every task.
    """

    def __init__(
        self,
        node: Node,
        ready: Callable[[], bool],
        begin: Callable[[TaskRequest], TaskRunner],
        proceed: Callable[[TaskRunner], None],
        finish: Callable[[TaskRunner], None],
    ) -> None:
        self._node, self._ready = node, ready
        self._begin, self._proceed, self._finish = begin, proceed, finish
        self._busy = threading.Lock()
        self._server = ActionServer(
            node,
            ExecuteTask,
            EXECUTE_TASK_ACTION,
            self._execute,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=self._accept,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )

    def destroy(self) -> None:
        """Serve no more."""
        self._server.destroy()

    def _accept(self, request: Any) -> GoalResponse:
        """Refuse a second client while one is served: two would pull the arms two ways."""
        if not self._ready() or not self._busy.acquire(blocking=False):
            self._node.get_logger().warning("a goal was refused: not active, or busy")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _execute(self, handle: Any) -> Any:
        try:
            return self._serve(handle)
        finally:
            self._busy.release()

    def _serve(self, handle: Any) -> Any:
        try:
            task = self._begin(_read(handle.request))
        except WmPlannerError as error:
            handle.abort()
            return ExecuteTask.Result(outcome=ExecuteTask.Result.REFUSED, message=str(error))
        pause = threading.Event()
        begun_ns = self._now_ns()
        try:
            while task.status.outcome is None:
                if handle.is_cancel_requested:
                    task.end(Outcome.CANCELED, "cancelled by the client")
                elif not self._ready():
                    task.end(Outcome.STOPPED, "the planner was deactivated")
                self._proceed(task)
                elapsed_s = (self._now_ns() - begun_ns) * 1e-9
                handle.publish_feedback(_feedback(task, elapsed_s))
                pause.wait(FEEDBACK_PERIOD_S)
        finally:
            self._finish(task)
        outcome = task.status.outcome
        self._node.get_logger().info(f"task: {outcome.value}, {task.status.message}")
        if outcome is Outcome.SUCCEEDED:
            handle.succeed()
        elif outcome is Outcome.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return ExecuteTask.Result(
            outcome=getattr(ExecuteTask.Result, outcome.value),
            message=task.status.message,
            reached=task.goals.reached,
            duration_s=(self._now_ns() - begun_ns) * 1e-9,
            plans=task.status.plans,
        )

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)


def _read(request: Any) -> TaskRequest:
    goals = tuple(goal_from_message(goal) for goal in request.goals)
    if not goals:
        raise DataError("goals is empty, expected at least one")
    for index, goal in enumerate(goals):
        if goal.instruction is None and goal.image is None:
            raise DataError(f"goals[{index}] has neither an instruction nor an image")
    timeouts_s = tuple(request.goal_timeouts_s)
    if timeouts_s and len(timeouts_s) != len(goals):
        raise DataError(
            f"goal_timeouts_s has {len(timeouts_s)} entries, expected {len(goals)} (one for each "
            "goal) or none"
        )
    if request.first >= len(goals):
        raise DataError(f"first is {request.first}, expected less than {len(goals)}, the goals")
    return TaskRequest(goals, request.first, timeouts_s, request.timeout_s)


def _feedback(task: TaskRunner, elapsed_s: float) -> Any:
    status, goals = task.status, task.goals
    report, reading = status.report, status.reading
    feedback = ExecuteTask.Feedback(
        stage=status.stage,
        goal=goals.reached,
        goals=len(goals.goals),
        retries=goals.retries,
        instruction=goals.goal.instruction or "",
        plans=status.plans,
        elapsed_s=elapsed_s,
        best_score=math.nan,
        value=math.nan if reading is None else reading.value,
    )
    if report is not None:
        if isinstance(report.plan, Plan):
            feedback.plan_id = report.plan.plan_id
            feedback.best_score = float(np.nanmax(report.total_score))
        feedback.candidates = len(report.total_score)
        listed = (f"{name} {count}" for name, count in report.rejections.items())
        feedback.rejected_by_reason = ", ".join(listed)
    return feedback

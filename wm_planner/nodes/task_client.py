"""Asks the planner for a task and waits for the typed result, also across a planner's restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.action.client import ActionClient
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from wm_planner.action import ExecuteTask
from wm_planner.nodes.conversions.stages import goal_to_message
from wm_planner.nodes.heartbeat import HeartbeatWatch
from wm_planner.nodes.topics import EXECUTE_TASK_ACTION
from wm_planner.types import Goal

POLL_S = 0.1
ATTEMPTS = 3
#: A planner that is silent for this long is gone, and this long one may take to come back.
SILENT_S, COMES_BACK_S = 10.0, 60.0
OUTCOMES = {
    getattr(ExecuteTask.Result, name): name
    for name in (
        *("UNKNOWN", "SUCCEEDED", "TIMEOUT", "NO_PLAN", "CANCELED", "STOPPED", "REFUSED"),
        "FAILED",
    )
}


@dataclass(frozen=True)
class TaskOutcome:
    """How a task ended, as far as the planner could see.

    Attributes:
        outcome: SUCCEEDED, TIMEOUT, ... as in ExecuteTask.action; LOST where nobody could tell.
        message: one line for a person.
        reached: goals that were reached; where not all were, the one with this index failed.
        duration_s: while planners worked on it, s on the ROS clock.
        plans: how many were executed.
        attempts: how often the goals were sent, more than once after a restart of the planner.
    """

    outcome: str
    message: str
    reached: int
    duration_s: float
    plans: int
    attempts: int


class TaskClient:
    """Sends goals from a thread of its own choosing; the node must be spinning in another.

    Args:
        node: owns the action client.
        planner: fully qualified name of the planner node.
    """

    def __init__(self, node: Node, planner: str = "/planner") -> None:
        self._watch = HeartbeatWatch(node)
        self._planner = planner
        group = ReentrantCallbackGroup()
        self._client = ActionClient(node, ExecuteTask, EXECUTE_TASK_ACTION, callback_group=group)
        self._handle: Any = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ask for the end of the running task, or of the next one where none is running.

        Its result says CANCELED.
        """
        self._cancelled.set()
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def run(
        self,
        goals: Sequence[Goal],
        timeout_s: float = 60.0,
        goal_timeouts_s: Sequence[float] = (),
        on_feedback: Callable[[Any], None] = lambda feedback: None,
    ) -> TaskOutcome:
        """Send the goals and wait. A planner that was restarted goes on with the one it was at.

        Args:
            goals: to be reached one after the other.
            timeout_s: on the ROS clock; the planner keeps it, over all attempts.
            goal_timeouts_s: of one attempt at each goal, s, 0 for none of its own; may be empty.
            on_feedback: called with each feedback message.
        """
        try:
            return self._run(goals, timeout_s, goal_timeouts_s, on_feedback)
        finally:
            self._cancelled.clear()  # of this task, not of those to come

    def _run(
        self,
        goals: Sequence[Goal],
        timeout_s: float,
        goal_timeouts_s: Sequence[float],
        on_feedback: Callable[[Any], None],
    ) -> TaskOutcome:
        spent_s, reached = 0.0, 0
        for attempt in range(1, ATTEMPTS + 1):
            asked = ExecuteTask.Goal(
                goals=[goal_to_message(goal) for goal in goals],
                first=reached,
                goal_timeouts_s=list(goal_timeouts_s),
                timeout_s=timeout_s - spent_s,
            )
            newest: list[Any] = []

            def feedback(message: Any, newest: list[Any] = newest) -> None:
                newest[:] = [message.feedback]
                on_feedback(message.feedback)

            result = self._attempt(asked, feedback)
            elapsed_s = newest[0].elapsed_s if newest else 0.0
            reached = min(newest[0].goal, len(goals) - 1) if newest else reached
            spent_s += elapsed_s
            if result is not None:
                name = OUTCOMES.get(result.outcome, "UNKNOWN")
                spent_s += max(result.duration_s - elapsed_s, 0.0)
                return TaskOutcome(
                    name, result.message, result.reached, spent_s, result.plans, attempt
                )
            if spent_s >= timeout_s:
                break
        gone = "the planner went away and did not finish the task"
        return TaskOutcome("LOST", gone, reached, spent_s, 0, attempt)

    def _attempt(self, goal: Any, on_feedback: Callable[[Any], None]) -> Any:
        """Return the result, or None where the planner was gone before there was one."""
        if not self._wait_until_active():
            return None
        instance = self._watch.beats[self._planner].instance

        def gone() -> bool:
            beat = self._watch.beats[self._planner]
            return beat.instance != instance or self._watch.age_s(self._planner) > SILENT_S

        sent = self._client.send_goal_async(goal, feedback_callback=on_feedback)
        if not _wait(sent, gone):
            return None
        self._handle = sent.result()
        if not self._handle.accepted:
            message = "the planner did not accept the goal: it is busy or not active"
            return ExecuteTask.Result(outcome=ExecuteTask.Result.REFUSED, message=message)
        if self._cancelled.is_set():
            self._handle.cancel_goal_async()
        finished = self._handle.get_result_async()
        return finished.result().result if _wait(finished, gone) else None

    def _wait_until_active(self) -> bool:
        """Wait for a planner that is there, active and known to serve the action."""
        deadline = time.monotonic() + COMES_BACK_S
        while time.monotonic() < deadline:
            beat = self._watch.beats.get(self._planner)
            here = beat is not None and self._watch.age_s(self._planner) < 1.0
            if (
                here
                and beat is not None
                and beat.state == "active"
                and self._client.wait_for_server(POLL_S)
            ):
                return True
            time.sleep(POLL_S)
        return False


def _wait(future: Any, gone: Callable[[], bool]) -> bool:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    while not done.wait(POLL_S):
        if gone():
            return False
    return True

"""Asks the planner for a task and waits for the typed result, also across a planner's restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.action.client import ActionClient
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from wm_planner.action import ExecuteTask
from wm_planner.nodes.conversions.images import image_to_message
from wm_planner.nodes.heartbeat import HeartbeatWatch
from wm_planner.nodes.topics import EXECUTE_TASK_ACTION

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
        duration_s: while planners worked on it, s on the ROS clock.
        plans: how many were executed.
        attempts: how often the goal was sent, more than once after a restart of the planner.
    """

    outcome: str
    message: str
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
        """Ask for the end of the running task; the result says CANCELED."""
        self._cancelled.set()
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def run(
        self,
        instruction: str,
        image: np.ndarray | None = None,
        timeout_s: float = 60.0,
        on_feedback: Callable[[Any], None] = lambda feedback: None,
    ) -> TaskOutcome:
        """Send the goal and wait.

        Args:
            instruction: empty for none.
            image: picture of the end, (h, w, 3) uint8 RGB, or None.
            timeout_s: on the ROS clock; the planner keeps it, over all attempts.
            on_feedback: called with each feedback message.
        """
        spent_s = 0.0
        for attempt in range(1, ATTEMPTS + 1):
            goal = ExecuteTask.Goal(instruction=instruction, timeout_s=timeout_s - spent_s)
            if image is not None:
                goal.goal_image = image_to_message(image)
            elapsed = [0.0]

            def feedback(message: Any, elapsed: list[float] = elapsed) -> None:
                elapsed[0] = message.feedback.elapsed_s
                on_feedback(message.feedback)

            result = self._attempt(goal, feedback)
            spent_s += elapsed[0]
            if result is not None:
                name = OUTCOMES.get(result.outcome, "UNKNOWN")
                spent_s += max(result.duration_s - elapsed[0], 0.0)
                return TaskOutcome(name, result.message, spent_s, result.plans, attempt)
            if spent_s >= timeout_s:
                break
        gone = "the planner went away and did not finish the task"
        return TaskOutcome("LOST", gone, spent_s, 0, attempt)

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

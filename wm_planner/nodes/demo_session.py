"""One task on a running graph, recorded, with physics as the judge of success."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Bool

from wm_planner.errors import DataError
from wm_planner.nodes.recorder import Recorder
from wm_planner.nodes.task_client import TaskClient, TaskOutcome
from wm_planner.nodes.topics import RELIABLE_QOS, SUCCESS_TOPIC
from wm_planner.robot.rig_description import RigDescription
from wm_planner.types import Goal

#: The task may end itself; where physics says for this long that it is done, we end it.
DONE_FOR_S = 2.0
#: What is watched after the end: an object must not drop when the arms stop.
AFTERWARDS_S = 1.5


@dataclass(frozen=True)
class DemoResult:
    """How a demo went.

    Attributes:
        success: whether physics said that the task was done, also when the arms had stopped.
        outcome: what the planner answered.
        recorded: messages in the bag by topic.
    """

    success: bool
    outcome: TaskOutcome
    recorded: dict[str, int]


class PhysicsJudge:
    """Listens to what the simulator knows and the planner does not.

    Args:
        node: owns the subscription.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._done_since: float | None = None
        node.create_subscription(Bool, SUCCESS_TOPIC, self._heard, RELIABLE_QOS)

    @property
    def done_for_s(self) -> float:
        """How long the task has been done without a break, s; 0 while it is not."""
        since = self._done_since
        return 0.0 if since is None else ros_seconds(self._node) - since

    def _heard(self, message: Bool) -> None:
        if not message.data:
            self._done_since = None
        elif self._done_since is None:
            self._done_since = ros_seconds(self._node)


def ros_seconds(node: Node) -> float:
    """The node's clock, simulated or not, in s."""
    return float(node.get_clock().now().nanoseconds) * 1e-9


def run_recorded_task(
    context: Context,
    rig: RigDescription,
    bag: Path,
    instructions: Sequence[str],
    timeout_s: float,
    simulated_time: bool,
    on_feedback: Callable[[Any], None],
) -> DemoResult:
    """Send goals to the running graph and record until a moment after its end.

    Args:
        context: of the caller.
        rig: whose topics are recorded.
        bag: folder to write.
        instructions: what is asked for, one after the other.
        timeout_s: for the planner.
        simulated_time: whether the graph runs on /clock.
        on_feedback: called with the action's feedback messages.
    """
    clock = [Parameter("use_sim_time", value=simulated_time)]
    recorder = Recorder(bag, rig, context=context, parameter_overrides=clock)
    node = Node("demo", context=context, parameter_overrides=clock)
    judge, client = PhysicsJudge(node), TaskClient(node)
    executor = SingleThreadedExecutor(context=context)
    for one in (recorder, node):
        executor.add_node(one)
    spinning, ended_by_judge = threading.Event(), threading.Event()
    spinning.set()

    def spin() -> None:
        while spinning.is_set():
            executor.spin_once(timeout_sec=0.1)

    def end_when_done(feedback: Any) -> None:
        on_feedback(feedback)
        if judge.done_for_s >= DONE_FOR_S:
            ended_by_judge.set()
            client.cancel()

    thread = threading.Thread(target=spin, name="demo-ros", daemon=True)
    thread.start()
    try:
        goals = [Goal(instruction) for instruction in instructions]
        outcome = client.run(goals, timeout_s, on_feedback=end_when_done)
        if ended_by_judge.is_set() and outcome.outcome == "CANCELED":
            seen = f"physics saw it done for {DONE_FOR_S:.0f} s, which the planner had not noticed"
            outcome = replace(outcome, message=seen)
        end_s, longest = ros_seconds(node) + AFTERWARDS_S, time.monotonic() + 10 * AFTERWARDS_S
        while ros_seconds(node) < end_s and time.monotonic() < longest:
            time.sleep(0.05)
        if recorder.problem:
            raise DataError(f"{bag} could not be recorded to the end: {recorder.problem}")
        return DemoResult(judge.done_for_s > 0.0, outcome, dict(recorder.counts))
    finally:
        recorder.close()
        spinning.clear()
        thread.join(2.0)
        executor.shutdown(1.0)
        for one in (recorder, node):
            one.destroy_node()

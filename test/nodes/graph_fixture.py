"""A whole graph in processes of its own, with ears on what it does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from painted_mujoco_rig import environment_with_painted_rig
from painted_rig import write_config
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from wm_planner import msg
from wm_planner.nodes import topics
from wm_planner.nodes.graph_session import ros_context, running_graph
from wm_planner.nodes.process_table import GraphOptions
from wm_planner.nodes.supervisor import Supervisor
from wm_planner.nodes.task_client import TaskClient

READY_S = 180.0  # on a machine that does something else too
EXECUTING, STOPPED = msg.ExecutorState.EXECUTING, msg.ExecutorState.STOPPED
ESTOPPED, HOLDING = msg.ExecutorState.ESTOPPED, msg.ExecutorState.HOLDING
NEAR = 0.01  # latent distance of a picture that shows the goal


class Ears:
    """What the graph published, each with the time of arrival in s (wall clock)."""

    def __init__(self, node: Node) -> None:
        self.commands: list[tuple[float, msg.Command]] = []
        self.states: list[tuple[float, msg.ExecutorState]] = []
        self.joints: list[tuple[float, np.ndarray]] = []
        self.plans: list[tuple[float, msg.Plan]] = []
        reliable = topics.RELIABLE_QOS
        node.create_subscription(msg.Command, topics.COMMAND_TOPIC, self._command, reliable)
        node.create_subscription(msg.Plan, topics.PLAN_TOPIC, self._plan, reliable)
        node.create_subscription(
            msg.ExecutorState, topics.EXECUTOR_STATE_TOPIC, self._state, reliable
        )
        node.create_subscription(JointState, "/joint_states", self._joint, topics.SENSOR_QOS)

    def state_after(self, moment: float, *states: int) -> float | None:
        """When the executor first said that it is in one of some states, after a moment."""
        return next((t for t, m in self.states if t >= moment and m.state in states), None)

    def path_after(self, moment: float) -> tuple[np.ndarray, np.ndarray]:
        """Times and arm joints (N, 12) that came after a moment."""
        rows = [(t, q) for t, q in self.joints if t >= moment]
        return np.array([t for t, _ in rows]), np.array([q for _, q in rows])

    def moved_since(self, moment: float) -> float:
        """How far any arm joint went after a moment, in rad; 0 where nothing came."""
        _, path = self.path_after(moment)
        return float(np.ptp(path, axis=0).max()) if len(path) else 0.0

    def _command(self, message: msg.Command) -> None:
        self.commands.append((time.time(), message))

    def _plan(self, message: msg.Plan) -> None:
        self.plans.append((time.time(), message))

    def _state(self, message: msg.ExecutorState) -> None:
        self.states.append((time.time(), message))

    def _joint(self, message: JointState) -> None:
        self.joints.append((time.time(), np.array(message.position[:12])))


class Graph:
    """A running graph, a client and ears."""

    def __init__(self, supervisor: Supervisor, node: Node, environment: dict[str, str]) -> None:
        self.supervisor, self.node, self.environment = supervisor, node, environment
        self.ears, self.client = Ears(node), TaskClient(node)

    def in_background(self, work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
        """Run something in a thread; its result appears in the list."""
        results: list[object] = []
        thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
        thread.start()
        return thread, results


def wait_for(condition: Callable[[], object], timeout_s: float, what: str) -> object:
    """Return what the condition returns as soon as that is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s: {what}")


@contextmanager
def graph_of(folder: Path, **changes: object) -> Iterator[Graph]:
    """Bring up a graph with tiny models and painted pictures, wait until it is ready."""
    environment = environment_with_painted_rig(folder / "site")
    # Apart from other graphs of this test run and of others on this machine.
    domain = str(1 + (os.getpid() * 7 + hash(folder.name)) % 100)
    os.environ["ROS_DOMAIN_ID"] = environment["ROS_DOMAIN_ID"] = domain
    options = GraphOptions(
        config=str(write_config(folder)),
        simulator="painted",
        task="reach",
        parameters={"success_distance": NEAR},
    )
    options = replace(options, **changes)
    with (
        ros_context() as context,
        running_graph(options, context, folder / "logs", environment) as supervisor,
    ):
        node = Node("test", context=context)
        executor = MultiThreadedExecutor(3, context=context)
        executor.add_node(node)
        graph = Graph(supervisor, node, environment)
        ending = threading.Event()

        def spin() -> None:
            while not ending.is_set():
                executor.spin_once(timeout_sec=0.1)

        thread = threading.Thread(target=spin, daemon=True)
        thread.start()
        try:
            ready = supervisor.wait_until_ready(READY_S)
            logs = "\n".join(path.read_text() for path in (folder / "logs").glob("*.log"))
            assert ready, f"{supervisor.manager.problem}\n{logs}"
            yield graph
        finally:
            ending.set()
            thread.join(5.0)
            executor._executor.shutdown(wait=True)
            node.destroy_node()

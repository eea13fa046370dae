"""Runs the nodes of one process until Ctrl-C, a signal, or the end of whoever started it."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence

import rclpy
from rclpy.executors import Executor, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from wm_planner.errors import UnknownNameError
from wm_planner.nodes.stage_node import StageNode

_log = logging.getLogger(__name__)

#: Process name to "module:function" that makes its nodes.
PROCESSES = {
    "camera": "wm_planner.nodes.camera_node:CameraNode",
    "world_model": "wm_planner.nodes.world_model_node:WorldModelNode",
    "idm": "wm_planner.nodes.idm_node:IdmNode",
    "filter": "wm_planner.nodes.filter_node:FilterNode",
    "planner": "wm_planner.nodes.planner_node:PlannerNode",
    "planner_process": "wm_planner.nodes.planner_process:planner_nodes",
    "executor": "wm_planner.nodes.executor_node:ExecutorNode",
    "rig": "wm_planner.nodes.rig_node:RigNode",
    "lifecycle_manager": "wm_planner.nodes.lifecycle_manager:LifecycleManager",
}
#: Thinking gives way to acting: these keep the priority they were started with, and their
#: callbacks return at once.
ACTING = ("executor", "rig")
NICENESS = 5
THREADS = 6  # a blocked service or action must not hold up heartbeats


def run_process(name: str, ros_arguments: Sequence[str]) -> int:
    """Run one entry of `PROCESSES`; returns the exit code.

    Args:
        name: which.
        ros_arguments: "--ros-args ..." as ROS tools pass them.
    """
    if name not in PROCESSES:
        raise UnknownNameError("node", name, PROCESSES)
    module, _, attribute = PROCESSES[name].partition(":")
    make = getattr(importlib.import_module(module), attribute)
    # Our own handlers: rclpy's shut the context down in the middle of what callbacks publish.
    _take_place(name)
    rclpy.init(args=list(ros_arguments), signal_handler_options=SignalHandlerOptions.NO)
    ending = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: ending.set())
    _end_with_parent(ending)
    executor = _executor_for(name)
    nodes: list[Node] = []
    try:
        made = make()
        nodes += made if isinstance(made, list) else [made]
        _forward_logging(nodes[0])
        for node in nodes:
            executor.add_node(node)
        while not ending.is_set():
            _spin_once(executor)
    finally:
        for node in nodes:
            if isinstance(node, StageNode):
                node.prepare_to_end()
        if isinstance(executor, MultiThreadedExecutor):
            # rclpy only drops its threads: a running callback would lose its node under its feet.
            executor._executor.shutdown(wait=True)
        executor.shutdown(1.0)
        for node in nodes:
            node.destroy_node()
        try_shutdown()
    return 0


def _executor_for(name: str) -> Executor:
    """Return one thread for processes whose callbacks never wait: half the cost per message."""
    return SingleThreadedExecutor() if name in ACTING else MultiThreadedExecutor(THREADS)


def _take_place(name: str) -> None:
    """Give way to processes that act, and leave the terminal's Ctrl-C to the supervisor."""
    if name not in ACTING:
        os.nice(NICENESS)
    if os.environ.get("WM_PLANNER_PARENT"):
        os.setpgid(0, 0)


def _spin_once(executor: Executor) -> None:
    """Turn once; what a callback raises is reported and does not end the whole process."""
    try:
        executor.spin_once(timeout_sec=0.2)
    except Exception:
        _log.exception("a callback failed")


class _RosHandler(logging.Handler):
    """Sends what the core logs through a node's logger, so it reaches /rosout."""

    def __init__(self, node: Node) -> None:
        super().__init__(logging.INFO)
        self._logger = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


def _forward_logging(node: Node) -> None:
    core = logging.getLogger("wm_planner")
    core.handlers = [_RosHandler(node)]
    core.propagate = False


def _end_with_parent(ending: threading.Event) -> None:
    """End when the supervisor that started us is gone, even by kill -9."""
    parent = int(os.environ.get("WM_PLANNER_PARENT", "0"))
    if not parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        ending.set()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()

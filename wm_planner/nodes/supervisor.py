"""Brings a graph up, watches heartbeats, restarts what dies or hangs, and shuts all down."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

from wm_planner.nodes.lifecycle_manager import LifecycleManager
from wm_planner.nodes.process_keeper import KeptProcess, ProcessKeeper
from wm_planner.nodes.process_table import LIFECYCLE_NODES, GraphOptions, process_table

_log = logging.getLogger(__name__)

POLL_S = 0.05
#: A process whose nodes are silent for this long is ended and started again. Long, because loading
#: models on a busy machine may hold everything up; the executor's own, short timeout stops motion.
HUNG_S = 15.0


class Supervisor:
    """A whole graph as one thing that can be started, waited for and stopped.

    Args:
        options: what shall run.
        context: ROS context of the caller, for the node that watches.
        log_folder: for the processes' output; None to share ours.
        environment: of the processes; None for ours.
    """

    def __init__(
        self,
        options: GraphOptions,
        context: Context,
        log_folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        table = process_table(options)
        self.keeper = ProcessKeeper(table, log_folder, environment)
        self._context = context
        self._expected = [name for spec in table for name in spec.nodes]
        lifecycle = tuple(name for name in LIFECYCLE_NODES if name in self._expected)
        self.manager = LifecycleManager(lifecycle, context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.manager)
        self._closing = threading.Event()
        self._spinning = threading.Thread(target=self._spin, name="supervisor-ros", daemon=True)
        self._watching = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all processes; their nodes come up in the background."""
        self._spinning.start()
        self.keeper.start()
        self._watching.start()

    @property
    def ready(self) -> bool:
        """Whether every node beats and every lifecycle node is active."""
        beating = all(self.manager.watch.age_s(f"/{name}") < 1.0 for name in self._expected)
        return beating and self.manager.all_active

    def wait_until_ready(self, timeout_s: float, tick: Callable[[], None] = lambda: None) -> bool:
        """Wait for `ready`; False when the time is over. Calls `tick` while waiting."""
        for _ in range(round(timeout_s / POLL_S)):
            if self.ready:
                return True
            tick()
            if self._closing.wait(POLL_S):
                return False
        return False

    def stop(self) -> None:
        """End all processes, then our own node."""
        self._closing.set()
        self._watching.join(5.0)
        self.keeper.stop()
        self.manager.destroy_node()
        self._executor.shutdown(2.0)

    def _spin(self) -> None:
        while not self._closing.is_set() and self._context.ok():
            self._executor.spin_once(timeout_sec=0.2)

    def _watch(self) -> None:
        while not self._closing.wait(POLL_S):
            self.keeper.revive()
            for kept in self.keeper.kept.values():
                self._end_if_hung(kept)

    def _end_if_hung(self, kept: KeptProcess) -> None:
        if not kept.running or kept.age_s < 2 * HUNG_S:
            return
        ages = {name: self.manager.watch.age_s(f"/{name}") for name in kept.spec.nodes}
        silent = [name for name, age_s in ages.items() if age_s > HUNG_S]
        if silent:
            _log.error("%s is silent for %.0f s; ending it", ", ".join(silent), HUNG_S)
            kept.kill()

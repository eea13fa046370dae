"""A graph for as long as a `with` block lasts: what `wm-planner up` and the demo stand on."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from wm_planner.nodes.process_table import GraphOptions
from wm_planner.nodes.supervisor import Supervisor

_log = logging.getLogger(__name__)


def stay_on_this_machine() -> None:
    """Look for nodes on this machine only, unless whoever started us decided otherwise."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@contextmanager
def ros_context() -> Iterator[Context]:
    """A ROS context that leaves Ctrl-C to us."""
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield context
    finally:
        context.try_shutdown()


@contextmanager
def running_graph(
    options: GraphOptions,
    context: Context,
    log_folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Supervisor]:
    """Start a graph and end it with the block, however the block ends.

    Args:
        options: what shall run.
        context: for the supervisor's own node.
        log_folder: for the processes' output; None to share ours.
        environment: of the processes; None for ours.
    """
    supervisor = Supervisor(options, context, log_folder, environment)
    try:
        supervisor.start()
        yield supervisor
    finally:
        supervisor.stop()

"""Heartbeats: a node says that it lives, a watch says when it has not for too long.

One thread per process beats for all of its nodes, beside rclpy's executor: a heartbeat must not
wait in line behind images. It falls silent when the executor no longer turns, so that a process
that hangs looks as dead as it is. The watch counts on the steady clock of the machine, not on ROS
time: a paused /clock must not look like a dead node, nor hide one.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from wm_planner import msg
from wm_planner.nodes.topics import HEARTBEAT_QOS, HEARTBEAT_TOPIC

_log = logging.getLogger(__name__)

#: The planner's is waited for while arms move; the others' only tell that they live.
FAST_PERIOD_S, SLOW_PERIOD_S = 0.05, 0.25
#: The executor must have turned within this time, or the process falls silent.
PROOF_PERIOD_S, PROOF_LASTS_S = 0.25, 2.0

#: One number for the whole process: every node of a process restarts with it.
INSTANCE = secrets.randbits(63)


class HeartbeatPublisher:
    """Beats for one node until `close`.

    Args:
        node: the node that lives.
        describe: returns its state and one line of detail, called at every beat.
        period_s: between two beats, s.
    """

    def __init__(
        self,
        node: Node,
        describe: Callable[[], tuple[str, str]],
        period_s: float = SLOW_PERIOD_S,
    ) -> None:
        self._node, self._describe, self._period_s = node, describe, period_s
        self._publisher = node.create_publisher(msg.Heartbeat, HEARTBEAT_TOPIC, HEARTBEAT_QOS)
        self._proved = time.monotonic()
        node.create_timer(
            PROOF_PERIOD_S,
            self._prove,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._closing = threading.Event()
        name = f"heartbeat-{node.get_name()}"
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Beat no more; to be called before the node is destroyed."""
        self._closing.set()
        self._thread.join(2.0)

    def _prove(self) -> None:
        self._proved = time.monotonic()

    def _loop(self) -> None:
        while not self._closing.wait(self._period_s):
            if time.monotonic() - self._proved > PROOF_LASTS_S:
                _log.warning("%s: the executor does not turn", self._node.get_name())
                self._closing.wait(1.0)
                continue
            state, detail = self._describe()
            beat = msg.Heartbeat(
                stamp=self._node.get_clock().now().to_msg(),
                node=self._node.get_fully_qualified_name(),
                state=state,
                detail=detail,
                instance=INSTANCE,
            )
            self._publisher.publish(beat)


@dataclass(frozen=True)
class Beat:
    """The newest heartbeat of a node, with its arrival on the steady clock in ns."""

    state: str
    detail: str
    instance: int
    arrived_ns: int


class HeartbeatWatch:
    """Remembers the newest beat of every node heard. May be used from several threads."""

    def __init__(self, node: Node) -> None:
        self.beats: dict[str, Beat] = {}
        node.create_subscription(msg.Heartbeat, HEARTBEAT_TOPIC, self._heard, HEARTBEAT_QOS)

    def age_s(self, node: str) -> float:
        """Seconds since the node's newest beat; infinite before the first."""
        beat = self.beats.get(node)
        return float("inf") if beat is None else (time.monotonic_ns() - beat.arrived_ns) * 1e-9

    def _heard(self, message: msg.Heartbeat) -> None:
        self.beats[message.node] = Beat(
            message.state, message.detail, message.instance, time.monotonic_ns()
        )

"""Heartbeats: a node says that it lives, a watch says when it has not for too long.

The watch counts on the steady clock of the machine, not on ROS time: a paused /clock must not look
like a dead node, nor hide one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from wm_planner import msg
from wm_planner.nodes.topics import HEARTBEAT_QOS, HEARTBEAT_TOPIC

PERIOD_S = 0.05

#: One number for the whole process: every node of a process restarts with it.
INSTANCE = secrets.randbits(63)


class HeartbeatPublisher:
    """Beats for one node, in a callback group of its own so that slow callbacks do not delay it.

    Args:
        node: the node that lives.
        describe: returns its state and one line of detail, called at every beat.
    """

    def __init__(self, node: Node, describe: Callable[[], tuple[str, str]]) -> None:
        self._node, self._describe = node, describe
        self._publisher = node.create_publisher(msg.Heartbeat, HEARTBEAT_TOPIC, HEARTBEAT_QOS)
        node.create_timer(
            PERIOD_S,
            self._beat,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def _beat(self) -> None:
        state, detail = self._describe()
        self._publisher.publish(
            msg.Heartbeat(
                stamp=self._node.get_clock().now().to_msg(),
                node=self._node.get_fully_qualified_name(),
                state=state,
                detail=detail,
                instance=INSTANCE,
            )
        )


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

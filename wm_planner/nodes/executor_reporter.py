"""Tells the graph what the executor is doing: on every change, and at a low rate in between."""

from __future__ import annotations

from rclpy.node import Node

from wm_planner import msg
from wm_planner.executor import Executor
from wm_planner.nodes.conversions.arrays import to_stamp
from wm_planner.nodes.ticker import Ticker
from wm_planner.nodes.topics import EXECUTOR_STATE_TOPIC, RELIABLE_QOS

PERIOD_S = 0.2


class ExecutorReporter:
    """Publishes ExecutorState.

    Args:
        node: owns the publisher and logs changes.
        core: whose state it is.
    """

    def __init__(self, node: Node, core: Executor) -> None:
        self._core, self._logger = core, node.get_logger()
        self._publisher = node.create_publisher(
            msg.ExecutorState, EXECUTOR_STATE_TOPIC, RELIABLE_QOS
        )
        self._told, self._told_ns = "", 0

    def tell(self, now_ns: int, step: int, ticker: Ticker) -> None:
        """Publish where that is due.

        Args:
            now_ns: ROS clock.
            step: row of the plan that was just sent, -1 where nothing was.
            ticker: counts what came late.
        """
        state, reason = self._core.state, self._core.reason
        summary = f"{state.value}: {reason}".removesuffix(": ")
        changed = summary != self._told
        if not changed and 0 <= now_ns - self._told_ns < PERIOD_S * 1e9:
            return
        if changed:
            self._logger.info(summary)
        self._told, self._told_ns = summary, now_ns
        self._publisher.publish(
            msg.ExecutorState(
                stamp=to_stamp(now_ns),
                state=getattr(msg.ExecutorState, state.value),
                reason=reason,
                plan_id=self._core.plan.plan_id if self._core.plan else 0,
                step=step,
                late_steps=self._core.late_steps,
                deadline_misses=ticker.misses,
                worst_lateness_s=ticker.take_worst_lateness_s(),
            )
        )

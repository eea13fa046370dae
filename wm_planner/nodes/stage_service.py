"""Services of a stage: each request is worked out in the stage's one worker thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from wm_planner.nodes.mailbox import Mailbox

LONGEST_S = 60.0


class StageService:
    """Answers requests one at a time; of those that wait, the newest, and refuses the others.

    The callback waits in one of the executor's threads while the worker works, in a group of its
    own, so heartbeats and transitions go on.

    Args:
        node: owns the service.
        kind: service class.
        name: of the service.
        mailbox: the stage's worker.
        work: fills in the response for a request; what it raises becomes a refusal.
    """

    def __init__(
        self,
        node: Node,
        kind: Any,
        name: str,
        mailbox: Mailbox,
        work: Callable[[Any, Any], None],
    ) -> None:
        self._node, self._mailbox, self._work = node, mailbox, work
        self._service = node.create_service(
            kind, name, self._answer, callback_group=ReentrantCallbackGroup()
        )

    def destroy(self) -> None:
        """Serve no more."""
        self._node.destroy_service(self._service)

    def _answer(self, request: Any, response: Any) -> Any:
        job = self._mailbox.put(lambda: self._work(request, response))
        try:
            job.result(LONGEST_S)
            response.success = True
        except Exception as error:  # whatever a model throws, the client gets an answer
            response.success, response.message = False, f"{type(error).__name__}: {error}"
            self._node.get_logger().warning(response.message, throttle_duration_sec=1.0)
        return response

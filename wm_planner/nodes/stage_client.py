"""Calls the service of a stage in another process and waits for the answer."""

from __future__ import annotations

import threading
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from wm_planner.errors import RigError

TIMEOUT_S = 30.0


class StageUnavailableError(RigError):
    """A stage did not answer, or refused."""


class StageClient:
    """Calls one service and waits, from a worker thread (never from a callback)."""

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        self._name = name
        self._client = node.create_client(kind, name, callback_group=ReentrantCallbackGroup())

    def call(self, request: Any) -> Any:
        """Return the response.

        Raises:
            StageUnavailableError: nobody serves, no answer in time, or a refusal.
        """
        if not self._client.wait_for_service(5.0):
            raise StageUnavailableError(f"{self._name}: nobody serves it")
        answered = threading.Event()
        future = self._client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(TIMEOUT_S):
            self._client.remove_pending_request(future)
            raise StageUnavailableError(f"{self._name}: no answer within {TIMEOUT_S} s")
        response = future.result()
        if not response.success:
            raise StageUnavailableError(f"{self._name}: {response.message}")
        return response

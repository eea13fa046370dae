"""Node `lifecycle_manager`: brings lifecycle nodes to active, in order, after every start.

It learns their state from heartbeats and only acts on a process that has just (re)started: once a
node was active, whoever deactivates it by hand is not fought.
"""

from __future__ import annotations

import threading
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node

from wm_planner.nodes.heartbeat import Beat, HeartbeatWatch
from wm_planner.nodes.process_table import LIFECYCLE_NODES

POLL_S = 0.1
FRESH_S = 1.0
#: Loading models on a busy machine takes a while.
TRANSITION_TIMEOUT_S = 120.0
STATE_CHANGE_TIMEOUT_S = 5.0
RETRY_S = 2.0
_NEXT = {
    "unconfigured": ("configure", Transition.TRANSITION_CONFIGURE),
    "inactive": ("activate", Transition.TRANSITION_ACTIVATE),
}


class LifecycleManager(Node):
    """Configures and activates; runs its own thread beside the node's callbacks.

    Args:
        nodes: names in order; a later one is touched only when all before it are active.
    """

    def __init__(self, nodes: tuple[str, ...] = LIFECYCLE_NODES, **options: Any) -> None:
        super().__init__("lifecycle_manager", **options)
        self._watch = HeartbeatWatch(self)
        prefix = self.get_namespace().rstrip("/")
        self._names = tuple(f"{prefix}/{name}" for name in nodes)
        self._changers = {
            name: self.create_client(ChangeState, f"{name}/change_state") for name in self._names
        }
        self._brought_up: dict[str, int] = {}  # node to instance of its process
        self.problem = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="bring-up", daemon=True)
        self._thread.start()

    @property
    def all_active(self) -> bool:
        """Whether every node is active and its heart beats."""
        return all(
            name in self._watch.beats
            and self._watch.beats[name].state == "active"
            and self._watch.age_s(name) < FRESH_S
            for name in self._names
        )

    @property
    def watch(self) -> HeartbeatWatch:
        """The heartbeats of everything."""
        return self._watch

    def destroy_node(self) -> None:
        """End the thread first."""
        self._closing.set()
        self._thread.join(2.0)
        super().destroy_node()

    def _loop(self) -> None:
        while not self._closing.wait(POLL_S):
            if not self._step() and self.problem:
                self._closing.wait(RETRY_S)

    def _step(self) -> bool:
        """Advance the first node that is not up yet by one transition; False where it failed."""
        for name in self._names:
            beat = self._watch.beats.get(name)
            if beat is None or self._watch.age_s(name) > FRESH_S:
                return True  # not there yet
            if self._brought_up.get(name) == beat.instance:
                continue
            if beat.state == "active":
                self._brought_up[name], self.problem = beat.instance, ""
                continue
            return self._advance(name, beat)
        return True

    def _advance(self, name: str, beat: Beat) -> bool:
        if beat.state not in _NEXT:
            return True
        label, transition = _NEXT[beat.state]
        request = ChangeState.Request(transition=Transition(id=transition))
        client = self._changers[name]
        if not client.wait_for_service(1.0):
            return True
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not self._wait(name, answered, beat.instance):
            client.remove_pending_request(future)
            return True
        if future.result().success:
            self._await_state_change(name, beat.state)
            return True
        newest = self._watch.beats.get(name, beat)
        self.problem = f"{name}: {newest.detail or f'cannot {label}'}"
        self.get_logger().error(self.problem, throttle_duration_sec=10.0)
        return False

    def _wait(self, name: str, answered: threading.Event, instance: int) -> bool:
        """Wait for an answer, or until the process that should give it is another one."""
        for _ in range(round(TRANSITION_TIMEOUT_S / POLL_S)):
            if answered.wait(POLL_S):
                return True
            beat = self._watch.beats.get(name)
            if self._closing.is_set() or (beat is not None and beat.instance != instance):
                return False
            if self._watch.age_s(name) > 10 * FRESH_S:
                return False
        return False

    def _await_state_change(self, name: str, state: str) -> None:
        """Heartbeats that were under way tell the old state: do not ask for a transition twice."""
        for _ in range(round(STATE_CHANGE_TIMEOUT_S / POLL_S)):
            if self._watch.beats[name].state != state or self._closing.wait(POLL_S):
                return

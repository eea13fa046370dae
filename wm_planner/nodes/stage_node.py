"""The base of our lifecycle nodes: transitions that explain themselves, heartbeats, parameters."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from wm_planner.errors import WmPlannerError
from wm_planner.nodes.heartbeat import SLOW_PERIOD_S, HeartbeatPublisher


class StageNode(LifecycleNode):
    """A lifecycle node that stays alive whatever its subclass raises.

    Subclasses fill in four hooks. `build` loads what is slow or may be refused; `start` begins to
    act on messages; `stop` and `release` undo the two. A `WmPlannerError` raised by `build` or
    `start` refuses the transition: its text is logged and shown in the heartbeat until the next
    try. Nothing else of a node may depend on the state machine.
    """

    def __init__(self, name: str, heartbeat_s: float = SLOW_PERIOD_S, **options: Any) -> None:
        super().__init__(name, **options)
        self._label, self._detail = "unconfigured", ""
        self._heart = HeartbeatPublisher(self, lambda: (self._label, self._detail), heartbeat_s)

    def prepare_to_end(self) -> None:
        """Count as inactive from now on: whatever runs in a callback is to come to its end."""
        self._label = "finalized"

    def destroy_node(self) -> None:
        """Let go of everything, from whatever state."""
        self._heart.close()
        self._attempt("clean up", self.release, "finalized", quietly=True)
        super().destroy_node()

    @property
    def is_active(self) -> bool:
        """Whether the node may act on messages."""
        return self._label == "active"

    def note(self, detail: str) -> None:
        """Show one line about the node in its heartbeat, "" for none."""
        self._detail = detail

    # -- hooks ------------------------------------------------------------------------------------
    def build(self) -> None:
        """Load models, read files, create services."""

    def start(self) -> None:
        """Begin to act."""

    def stop(self) -> None:
        """Act no more."""

    def release(self) -> None:
        """Give back what `build` took."""

    # -- transitions ------------------------------------------------------------------------------
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build, or say why not and let go of what was built halfway."""
        done = self._attempt("configure", self.build, "inactive")
        if done is not TransitionCallbackReturn.SUCCESS:
            self._attempt("clean up", self.release, "unconfigured", quietly=True)
        return done

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start."""
        done = self._attempt("activate", self.start, "active")
        return super().on_activate(state) if done is TransitionCallbackReturn.SUCCESS else done

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop."""
        super().on_deactivate(state)
        return self._attempt("deactivate", self.stop, "inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release."""
        return self._attempt("clean up", self.release, "unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and release, from whatever state."""
        if self.is_active:
            self._attempt("deactivate", self.stop, "inactive")
        return self._attempt("shut down", self.release, "finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Fall back to unconfigured, so that the next configure is a fresh start."""
        self._attempt("clean up", self.release, "unconfigured", quietly=True)
        return TransitionCallbackReturn.SUCCESS

    def _attempt(
        self, what: str, hook: Callable[[], None], label: str, quietly: bool = False
    ) -> TransitionCallbackReturn:
        try:
            hook()
        except WmPlannerError as error:
            self._refuse(f"cannot {what}: {error}", quietly)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would swallow it without a word
            self._refuse(f"cannot {what}: {type(error).__name__}: {error}", quietly)
            self.get_logger().debug(traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        self._label = label
        if not quietly:
            self._detail = ""
            self.get_logger().info(label)
        return TransitionCallbackReturn.SUCCESS

    def _refuse(self, why: str, quietly: bool) -> None:
        if not quietly:
            self._detail = why
            self.get_logger().error(why)

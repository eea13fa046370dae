"""Simulated time passes here: one thread owns physics and the renderer's GL context."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

_log = logging.getLogger(__name__)

#: Physics advances this much between two looks at the clock; joint states come as often.
STEP_S = 0.02
#: Further behind the wall clock than this, time is given up instead of caught up with.
LONGEST_LAG_S = 0.5


class SimulationThread:
    """Steps a rig at a chosen speed.

    Args:
        build: makes the rig; called in the thread, as MuJoCo's renderer belongs to one thread.
        reset: starts an episode, called in the thread at the start and after `request_reset`.
        stepped: called in the thread after every step with the simulated time since the thread
            began, ns; it never goes back, also not at a reset.
        real_time_factor: simulated over wall seconds; 0 means as fast as it can.
    """

    def __init__(
        self,
        build: Callable[[], MujocoRig],
        reset: Callable[[MujocoRig, int], None],
        stepped: Callable[[MujocoRig, int], None],
        real_time_factor: float,
    ) -> None:
        self.lost_s = 0.0
        self._build, self._reset, self._stepped = build, reset, stepped
        self._factor = real_time_factor
        self._reset_wanted, self._reset_done = threading.Event(), threading.Event()
        self._closing = threading.Event()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)

    def start(self) -> None:
        """Build the rig and begin."""
        self._thread.start()

    def request_reset(self, timeout_s: float = 10.0) -> bool:
        """Start a new episode and wait for it; False when it did not happen in time."""
        self._reset_done.clear()
        self._reset_wanted.set()
        return self._reset_done.wait(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether time passes."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread and close the rig."""
        self._closing.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        try:
            rig = self._build()
            try:
                self._loop(rig)
            finally:
                rig.close()
        except Exception as error:  # the node asks and reports; a thread has no one to raise to
            self.failure = error
            _log.exception("the simulation stopped")

    def _loop(self, rig: MujocoRig) -> None:
        elapsed_ns = 0
        self._reset(rig, elapsed_ns)
        begun = time.monotonic()
        while not self._closing.is_set():
            if self._reset_wanted.is_set():
                self._reset(rig, elapsed_ns)
                self._reset_wanted.clear()
                self._reset_done.set()
            rig.step(STEP_S)
            elapsed_ns += round(STEP_S * 1e9)
            self._stepped(rig, elapsed_ns)
            if self._factor > 0.0:
                early_s = begun + elapsed_ns * 1e-9 / self._factor - time.monotonic()
                if early_s > 0.0:
                    self._closing.wait(early_s)
                elif early_s < -LONGEST_LAG_S:
                    self.lost_s -= early_s
                    begun -= early_s

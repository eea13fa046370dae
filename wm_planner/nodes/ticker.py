"""A thread that calls a function at absolute deadlines, whatever callbacks are doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rclpy.clock import Clock, ROSClock

SIMULATED_TIME_POLL_S = 0.002


class Ticker:
    """Calls `tick(now_ns)` once a period of the ROS clock; late ticks do not shift later ones.

    Args:
        clock: of the node; under /clock the deadlines are in simulated time.
        period_s: between two ticks.
        tick: called in the ticker's own thread; must not raise.
    """

    def __init__(self, clock: Clock, period_s: float, tick: Callable[[int], None]) -> None:
        self.misses = 0
        self._clock, self._period_ns, self._tick = clock, round(period_s * 1e9), tick
        self._worst_ns = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="ticker", daemon=True)

    def start(self) -> None:
        """Begin; the first tick comes after one period."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after the tick that may be running."""
        self._closing.set()
        self._thread.join(2.0)

    def take_worst_lateness_s(self) -> float:
        """Lateness of the worst tick since this was last asked, in s."""
        worst, self._worst_ns = self._worst_ns, 0
        return worst * 1e-9

    def _loop(self) -> None:
        deadline_ns = self._clock.now().nanoseconds + self._period_ns
        while not self._closing.is_set():
            now_ns = self._clock.now().nanoseconds
            early_ns = deadline_ns - now_ns
            if early_ns > 2 * self._period_ns:  # the clock was set back
                deadline_ns = now_ns + self._period_ns
            elif early_ns > 0:
                self._sleep(early_ns * 1e-9)
            else:
                self._worst_ns = max(self._worst_ns, -early_ns)
                self._tick(now_ns)
                missed = -early_ns // self._period_ns
                self.misses += missed
                deadline_ns += (1 + missed) * self._period_ns

    def _sleep(self, seconds: float) -> None:
        # rclpy's sleep_until would know simulated time, but leaves a callback behind at every call.
        simulated = isinstance(self._clock, ROSClock) and self._clock.ros_time_is_active
        time.sleep(min(seconds, SIMULATED_TIME_POLL_S) if simulated else seconds)

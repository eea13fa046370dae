"""How long it takes from a frame to the plan made on it, as lately measured."""

from __future__ import annotations

from collections import deque

import numpy as np

REMEMBERED = 30  # plans: what was long ago says nothing about the load now


class PlanningDelay:
    """A running estimate; 0 until something was measured."""

    def __init__(self) -> None:
        self._measured: deque[float] = deque(maxlen=REMEMBERED)

    def add(self, delay_s: float) -> None:
        """Take one measurement, s; clocks that disagree count as no delay."""
        self._measured.append(max(delay_s, 0.0))

    def estimate(self, quantile: float, longest_s: float) -> float:
        """Return what the next plan will hardly exceed, s.

        Args:
            quantile: of the measured delays, 0 to 1.
            longest_s: the estimate is no more than that.
        """
        if not self._measured:
            return 0.0
        return min(float(np.quantile(self._measured, quantile, method="higher")), longest_s)

"""The motion that a plan's rows stand for: a cubic B-spline with the rows as control points.

Its velocity, acceleration and jerk are averages of the first, second and third differences of the
rows, so their peaks are exactly what the kinematic filter measured: a plan that it accepted keeps
the limits between its rows too. An interpolating spline exceeds such differences up to threefold.
The price is that corners are cut, by dt^2 / 6 times the acceleration there; rows on a line or at
rest are met. The curve stays within the rows' range, so within the joints'.
"""

from __future__ import annotations

import numpy as np

from wm_planner.executor.motions import ROUNDING, ArmLimits, Posture
from wm_planner.types import Plan

#: Uniform cubic B-spline: coefficients of 1, u, u^2, u^3 for four control points in a row.
BASIS = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6.0
RATES = ("velocity", "acceleration", "jerk")


class PlanCurve:
    """A plan between its first and its last row.

    At both ends the rows are continued on a line by one more. Where jerk forbids that, the curve
    begins a row later, or ends a row earlier.

    Attributes:
        start_ns: when it begins.
        end_ns: when it is over.
    """

    def __init__(self, plan: Plan, limits: ArmLimits) -> None:
        rows = plan.joint_position
        if len(rows) == 1:
            rows = np.repeat(rows, 2, axis=0)
        bends = np.diff(rows, n=2, axis=0) / plan.dt**3
        stiff = [bool((abs(bend) > limits.jerk_limit).any()) for bend in (bends[:1], bends[-1:])]
        ends = 2 * rows[0] - rows[1], 2 * rows[-1] - rows[-2]
        self._control = np.concatenate([ends[:1], rows, ends[1:]])  # row k is control point k + 1
        self._first, self._last = int(stiff[0]), len(rows) - 1 - int(stiff[1])
        self._plan, self._limits = plan, limits
        self.start_ns, self.end_ns = self._due_ns(self._first), self._due_ns(self._last)

    def sample(self, time_ns: int) -> Posture:
        """Return the posture at a time; beyond the ends, that of the end."""
        dt = self._plan.dt
        along = min(max(self._along(time_ns), self._first), self._last)
        span = min(int(along), self._last - 1)
        u = along - span
        powers = np.array([[1, u, u * u, u**3], [0, 1, 2 * u, 3 * u * u], [0, 0, 2, 6 * u]])
        rates = powers @ BASIS @ self._control[span : span + 4]
        return Posture(rates[0], rates[1] / dt, rates[2] / dt**2, self.width(time_ns))

    def width(self, time_ns: int) -> np.ndarray:
        """Return the widths (2,) m: on lines from row to row."""
        along, rows = self._along(time_ns), np.arange(len(self._plan.gripper_width))
        return np.array([np.interp(along, rows, width) for width in self._plan.gripper_width.T])

    def complaint(self, time_ns: int) -> str:
        """Say which limit it breaks after a time, "" for none."""
        span = int(min(max(self._along(time_ns), self._first), max(self._last - 1, self._first)))
        control = self._control[span : self._last + 3]
        limits = (
            self._limits.velocity_limit,
            self._limits.acceleration_limit,
            self._limits.jerk_limit,
        )
        for order, (name, limit) in enumerate(zip(RATES, limits, strict=True), start=1):
            rate = np.abs(np.diff(control, n=order, axis=0)) / self._plan.dt**order
            worst = float((rate / limit).max(initial=0.0))
            if not worst <= 1.0 + ROUNDING:
                return f"its {name} is {worst:.2f} of a joint's limit"
        return ""

    def _due_ns(self, row: int) -> int:
        return self._plan.start_ns + round((row + 1) * self._plan.dt * 1e9)

    def _along(self, time_ns: int) -> float:
        """Return where a time is, in rows."""
        return (time_ns - self._plan.start_ns) * 1e-9 / self._plan.dt - 1.0

"""Ways for the arms to move over time: along a plan, or braking to a stop.

Positions between two knots are cubic Hermite polynomials: position and velocity are continuous,
and the acceleration, linear in between, is largest at one of the knots. Time is in s from any
origin, the same throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wm_planner.types import Plan


@dataclass(frozen=True, eq=False)
class Posture:
    """Where the joints shall be: (D,) rad, (D,) rad/s and two widths (2,) m."""

    position: np.ndarray
    velocity: np.ndarray
    width: np.ndarray


class Motion(Protocol):
    """Something to sample."""

    @property
    def end_s(self) -> float:
        """When it is over."""
        ...

    def sample(self, time_s: float) -> Posture:
        """Return the posture at a time; beyond the ends, that of the end."""
        ...


class PlanMotion:
    """From a posture into a plan and along it.

    The way into the plan leads to the first row that can be reached within the acceleration
    limits; rows before it are left out.

    Attributes:
        first_row: the row that is aimed at first; None when no row can be reached.
    """

    def __init__(
        self, plan: Plan, start: Posture, start_s: float, acceleration_limit: np.ndarray
    ) -> None:
        """Find the way in.

        Args:
            plan: where to go.
            start: where the arms are told to be at start_s.
            start_s: when to leave.
            acceleration_limit: shape (D,), rad/s^2.
        """
        due = plan.start_ns * 1e-9 + plan.dt * np.arange(1, len(plan.actions) + 1)
        self.first_row: int | None = None
        for row in np.flatnonzero(due > start_s + 1e-6):
            aim = Posture(plan.joint_position[row], plan.joint_velocity[row], np.zeros(2))
            if (peak_acceleration(start, aim, due[row] - start_s) <= acceleration_limit).all():
                self.first_row = int(row)
                break
        kept = slice(self.first_row, None) if self.first_row is not None else slice(0)
        self._times = np.concatenate([[start_s], due[kept]])
        self._position = np.concatenate([start.position[None], plan.joint_position[kept]])
        self._velocity = np.concatenate([start.velocity[None], plan.joint_velocity[kept]])
        self._width = np.concatenate([start.width[None], plan.gripper_width[kept]])

    @property
    def end_s(self) -> float:
        """When the last row is due."""
        return float(self._times[-1])

    def peak_acceleration(self) -> np.ndarray:
        """Return the largest acceleration of each joint, shape (D,), rad/s^2."""
        before = Posture(self._position[:-1], self._velocity[:-1], self._width[:-1])
        after = Posture(self._position[1:], self._velocity[1:], self._width[1:])
        return peak_acceleration(before, after, np.diff(self._times)[:, None]).max(axis=0)

    def sample(self, time_s: float) -> Posture:
        """Return the posture at a time."""
        time_s = min(max(time_s, self._times[0]), self._times[-1])
        i = min(int(np.searchsorted(self._times, time_s, side="right")), len(self._times) - 1) - 1
        duration = self._times[i + 1] - self._times[i]
        u = (time_s - self._times[i]) / duration
        p0, p1 = self._position[i], self._position[i + 1]
        m0, m1 = duration * self._velocity[i], duration * self._velocity[i + 1]
        way = p1 - p0
        position = p0 + u * (m0 + u * ((3 * way - 2 * m0 - m1) + u * (m0 + m1 - 2 * way)))
        velocity = m0 + u * (2 * (3 * way - 2 * m0 - m1) + u * 3 * (m0 + m1 - 2 * way))
        width = (1 - u) * self._width[i] + u * self._width[i + 1]
        return Posture(position, velocity / duration, width)


class Braking:
    """To a stop on a straight line in joint space, all joints at the same time, as fast as may be.

    The stop lies v^2 / 2a ahead: 0.2 rad from full speed of the simulated arms.
    """

    def __init__(self, start: Posture, start_s: float, deceleration_limit: np.ndarray) -> None:
        """Begin to brake.

        Args:
            start: where the arms are told to be at start_s.
            start_s: when to begin.
            deceleration_limit: shape (D,), rad/s^2.
        """
        self._start, self._start_s = start, start_s
        self._duration = float((np.abs(start.velocity) / deceleration_limit).max(initial=1e-3))

    @property
    def end_s(self) -> float:
        """When the arms stand still."""
        return self._start_s + self._duration

    def sample(self, time_s: float) -> Posture:
        """Return the posture at a time; grippers keep their width."""
        t = min(max(time_s - self._start_s, 0.0), self._duration)
        left = 1.0 - t / self._duration
        position = self._start.position + self._start.velocity * t * (1.0 + left) / 2
        return Posture(position, self._start.velocity * left, self._start.width)


def peak_acceleration(start: Posture, end: Posture, duration: float | np.ndarray) -> np.ndarray:
    """Return the largest acceleration of each joint between two knots, shape (D,), rad/s^2."""
    way = 6 * (end.position - start.position) / duration**2
    at_start = way - (4 * start.velocity + 2 * end.velocity) / duration
    at_end = -way + (2 * start.velocity + 4 * end.velocity) / duration
    return np.maximum(np.abs(at_start), np.abs(at_end))

"""Ways for the arms to move over time: along a plan, or to a stop.

Position, velocity and acceleration are continuous where jerk is limited, and all of them stay
within the limits at every moment, so differences of whatever is sampled do, too. Times are ns on
the ROS clock, only differences of which become s: a float cannot hold a stamp exactly enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

#: By how much, relative to a limit, arithmetic may be off.
ROUNDING = 1e-7


@dataclass(frozen=True, eq=False)
class Posture:
    """Where the joints shall be: (D,) rad, rad/s and rad/s^2, and two widths (2,) m."""

    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    width: np.ndarray


def at_rest(position: np.ndarray, width: np.ndarray) -> Posture:
    """Return the posture of joints (D,) rad that stand still."""
    return Posture(position, np.zeros_like(position), np.zeros_like(position), width)


class ArmLimits(Protocol):
    """What the executor needs of a robot model: shapes (D,), rad, and (2,), m/s."""

    position_lower: np.ndarray
    position_upper: np.ndarray
    velocity_limit: np.ndarray
    acceleration_limit: np.ndarray
    jerk_limit: np.ndarray
    width_rate_limit: np.ndarray


class Motion(Protocol):
    """Something to sample."""

    @property
    def end_ns(self) -> int:
        """When it is over."""
        ...

    def sample(self, time_ns: int) -> Posture:
        """Return the posture at a time; beyond the ends, that of the end."""
        ...

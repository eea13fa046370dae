"""What the simulated servos are told between two commands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Joints (D,) rad and gripper widths (2,) m.
Posture = tuple[np.ndarray, np.ndarray]
#: Time s to the posture that the servos are told then.
Reference = Callable[[float], Posture]


def cubic(
    start: float,
    end: float,
    here: Posture,
    velocity: np.ndarray,
    there: Posture,
    final_velocity: np.ndarray,
) -> Reference:
    """A Hermite cubic in the joints, a line in the widths; held before and after.

    Args:
        start, end: times, s, with end after start.
        here, there: postures at either end.
        velocity, final_velocity: of the joints at either end, (D,) rad/s.
    """
    duration = end - start
    (q0, w0), (q1, w1) = here, there

    def reference(time_s: float) -> Posture:
        u = min(max((time_s - start) / duration, 0.0), 1.0)
        h00, h10 = (1 + 2 * u) * (1 - u) ** 2, u * (1 - u) ** 2
        h01, h11 = u * u * (3 - 2 * u), u * u * (u - 1)
        q = h00 * q0 + h10 * duration * velocity + h01 * q1 + h11 * duration * final_velocity
        return q, w0 + (w1 - w0) * u

    return reference

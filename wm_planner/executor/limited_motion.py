"""Motions as short as the limits allow: to rest, or into a moving posture (ruckig).

Ruckig (Berscheid and Kroeger 2021, arXiv 2105.04830) keeps velocity, acceleration and jerk within
their limits by construction; positions are checked here. Joints arrive together where they can.
"""

from __future__ import annotations

import math

import numpy as np
from ruckig import (
    ControlInterface,
    InputParameter,
    Result,
    Ruckig,
    RuckigError,
    Synchronization,
    Trajectory,
)

from wm_planner.executor.motions import ROUNDING, ArmLimits, Posture


class LimitedMotion:
    """What ruckig computed, from some time on."""

    def __init__(self, trajectory: Trajectory, start_ns: int, width: np.ndarray) -> None:
        self._trajectory, self._start_ns, self._width = trajectory, start_ns, width
        self.end_ns = start_ns + math.ceil(trajectory.duration * 1e9)

    def sample(self, time_ns: int) -> Posture:
        """Return the posture at a time; grippers keep their width."""
        passed = min(max((time_ns - self._start_ns) * 1e-9, 0.0), self._trajectory.duration)
        position, velocity, acceleration = map(np.array, self._trajectory.at_time(passed))
        return Posture(position, velocity, acceleration, self._width)


def stop(start: Posture, start_ns: int, limits: ArmLimits) -> LimitedMotion | None:
    """Return the shortest way to rest; None where it would break a limit."""
    asked = _input(start, limits)
    asked.control_interface = ControlInterface.Velocity
    asked.target_velocity = asked.target_acceleration = np.zeros_like(start.position)
    # Acceleration ends no sooner than jerk allows, and velocity goes on growing until then.
    later = start.velocity + start.acceleration * np.abs(start.acceleration) / 2 / limits.jerk_limit
    if (np.abs(later) > limits.velocity_limit * (1 + 2 * ROUNDING)).any():
        return None
    together = _motion(asked, start, start_ns, limits)
    if together is not None:
        return together
    # Joints that wait for the slowest one can need more room, and ruckig more luck with rounding.
    asked.synchronization = Synchronization.No
    return _motion(asked, start, start_ns, limits)


def way_into(
    start: Posture, start_ns: int, end: Posture, end_ns: int, limits: ArmLimits
) -> LimitedMotion | None:
    """Return a way from one moving posture into another; None where time or room is too short."""
    asked = _input(start, limits)
    asked.target_position, asked.target_velocity = end.position, end.velocity
    asked.target_acceleration = end.acceleration
    asked.minimum_duration = (end_ns - start_ns) * 1e-9
    motion = _motion(asked, start, start_ns, limits)
    in_time = motion is not None and motion.end_ns <= end_ns + 1  # ns, of rounding
    return motion if in_time else None


def _input(start: Posture, limits: ArmLimits) -> InputParameter:
    asked = InputParameter(len(start.position))
    asked.current_position, asked.current_velocity = start.position, start.velocity
    asked.current_acceleration = start.acceleration
    # Plans may be at their limits: without room for rounding they would be refused as targets.
    asked.max_velocity = limits.velocity_limit * (1 + 2 * ROUNDING)
    asked.max_acceleration = limits.acceleration_limit * (1 + 2 * ROUNDING)
    asked.max_jerk = limits.jerk_limit * (1 + 2 * ROUNDING)
    return asked


def _motion(
    asked: InputParameter, start: Posture, start_ns: int, limits: ArmLimits
) -> LimitedMotion | None:
    joints = len(start.position)
    trajectory = Trajectory(joints)
    try:
        result = Ruckig(joints).calculate(asked, trajectory)
    except RuckigError:  # its arithmetic has found no way
        return None
    if result not in (Result.Working, Result.Finished):
        return None
    reached = np.array([(bound.min, bound.max) for bound in trajectory.position_extrema])
    room = ROUNDING * np.abs(reached).max(initial=1.0)
    below = reached[:, 0] < limits.position_lower - room
    above = reached[:, 1] > limits.position_upper + room
    return None if (below | above).any() else LimitedMotion(trajectory, start_ns, start.width)

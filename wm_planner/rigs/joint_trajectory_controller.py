"""What a ros2_control joint trajectory controller does with a trajectory, as pure code.

The simulated rig accepts the same messages as a real arm's controller and refuses the same ones, so
that a command stream that works here works there. Rules and order of the checks are those of
joint_trajectory_controller (ROS 2 Jazzy) with ``interpolate_from_desired_state: true``, which that
controller recommends for trajectories sent over many messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.errors import RigError

#: Larger end velocities are refused: the controller would stop dead at the last point.
END_VELOCITY_TOLERANCE = float(np.finfo(np.float32).eps)


class TrajectoryRejectedError(RigError):
    """A trajectory that a joint trajectory controller would not accept; what it follows stays."""


@dataclass(frozen=True)
class JointTrajectory:
    """Timed waypoints of some joints; P points, J joints.

    Attributes:
        joint_names: names of the J columns, in any order.
        start_ns: when ``time_from_start_ns`` counts from, ROS time; 0 means on arrival.
        time_from_start_ns: shape (P,), int64, strictly increasing.
        position: one row (J,) a point, rad or m.
        velocity: one row (J,) a point, rad/s or m/s; empty: linear between the points.
    """

    joint_names: tuple[str, ...]
    start_ns: int
    time_from_start_ns: tuple[int, ...]
    position: tuple[tuple[float, ...], ...]
    velocity: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class _Segments:
    """Knots of what is being followed; the first knot is the desired state when it arrived."""

    time_ns: np.ndarray  # (P + 1,) int64
    position: np.ndarray  # (P + 1, J)
    velocity: np.ndarray | None  # (P + 1, J); None: linear


class JointTrajectoryController:
    """Follows the newest accepted trajectory by cubic interpolation; holds after its last point.

    Args:
        joint_names: the J joints it commands; every trajectory names all of them.
        position: where they are at the start, shape (J,), rad or m.
        stop_acceleration: deceleration of `hold`, rad/s^2 or m/s^2.
    """

    def __init__(
        self, joint_names: tuple[str, ...], position: np.ndarray, stop_acceleration: float = 10.0
    ) -> None:
        self.joint_names = tuple(joint_names)
        self._stop_acceleration = stop_acceleration
        rest = np.array(position, dtype=float).reshape(1, len(self.joint_names))
        self._segments = _Segments(np.zeros(1, np.int64), rest, np.zeros_like(rest))

    def update(self, trajectory: JointTrajectory, now_ns: int) -> None:
        """Follow a new trajectory from the desired state at ``now_ns``.

        Raises:
            TrajectoryRejectedError: with the reason; what was followed before goes on.
        """
        self._check(trajectory, now_ns)
        order = [trajectory.joint_names.index(name) for name in self.joint_names]
        start_ns = trajectory.start_ns or now_ns
        position, velocity = self.sample(now_ns)
        # Points at or before the arrival leave no room to blend: as on the real controller, the
        # desired state then jumps onto the trajectory. Senders stamp the future.
        times = np.r_[now_ns, start_ns + np.array(trajectory.time_from_start_ns, np.int64)]
        positions = np.vstack([position, np.array(trajectory.position, float)[:, order]])
        velocities = None
        if trajectory.velocity:
            velocities = np.vstack([velocity, np.array(trajectory.velocity, float)[:, order]])
        self._segments = _Segments(times.astype(np.int64), positions, velocities)

    def sample(self, time_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Desired state at a time: position (J,) and velocity (J,); past the end at rest."""
        times, positions = self._segments.time_ns, self._segments.position
        if time_ns >= times[-1]:
            return positions[-1].copy(), np.zeros(len(self.joint_names))
        time_ns = max(time_ns, int(times[0]))  # nothing is known from before the arrival
        # The first knot is the arrival and may lie after points that were late: search the tail.
        after = 1 + int(np.searchsorted(times[1:], time_ns, side="right"))
        before = after - 1
        duration = (times[after] - times[before]) * 1e-9
        u = min(max((time_ns - times[before]) * 1e-9 / duration, 0.0), 1.0)
        q0, q1 = positions[before], positions[after]
        if self._segments.velocity is None:
            return q0 + (q1 - q0) * u, (q1 - q0) / duration
        v0, v1 = self._segments.velocity[before], self._segments.velocity[after]
        # Cubic Hermite between the knots and its derivative.
        position = (
            (1 + 2 * u) * (1 - u) ** 2 * q0
            + u * (1 - u) ** 2 * duration * v0
            + u * u * (3 - 2 * u) * q1
            + u * u * (u - 1) * duration * v1
        )
        velocity = (
            6 * u * (u - 1) * (q0 - q1) / duration
            + (1 - u) * (1 - 3 * u) * v0
            + u * (3 * u - 2) * v1
        )
        return position, velocity

    def hold(self, now_ns: int) -> None:
        """Drop the trajectory and come to rest with the stop deceleration."""
        position, velocity = self.sample(now_ns)
        duration_s = max(float(np.abs(velocity).max()) / self._stop_acceleration, 1e-3)
        times = np.array([now_ns, now_ns + int(duration_s * 1e9)], np.int64)
        # At constant deceleration the distance is half of what the first speed would cover.
        rest = position + velocity * duration_s / 2
        self._segments = _Segments(
            times, np.vstack([position, rest]), np.vstack([velocity, np.zeros_like(velocity)])
        )

    def _check(self, trajectory: JointTrajectory, now_ns: int) -> None:
        names, known = trajectory.joint_names, self.joint_names
        unknown = [name for name in names if name not in known]
        if unknown:
            raise TrajectoryRejectedError(f"joint {unknown[0]} is not one of {', '.join(known)}")
        if sorted(names) != sorted(known):
            raise TrajectoryRejectedError(
                f"joints: got {list(names)}, expected all of {list(known)}"
            )
        if not trajectory.time_from_start_ns:
            raise TrajectoryRejectedError("the trajectory has no points")
        _check_rows(trajectory, "position", trajectory.position)
        if trajectory.velocity:
            _check_rows(trajectory, "velocity", trajectory.velocity)
            fastest = float(np.abs(trajectory.velocity[-1]).max())
            if fastest > END_VELOCITY_TOLERANCE:
                raise TrajectoryRejectedError(
                    f"velocity of the last point: got {fastest}, expected 0"
                )
        end_ns = trajectory.start_ns + trajectory.time_from_start_ns[-1]
        if trajectory.start_ns != 0 and end_ns < now_ns:
            late_s = (now_ns - end_ns) * 1e-9
            raise TrajectoryRejectedError(f"the trajectory ended {late_s:.3f} s in the past")
        if trajectory.time_from_start_ns[0] < 0 or np.any(
            np.diff(trajectory.time_from_start_ns) <= 0
        ):
            raise TrajectoryRejectedError("time_from_start: expected strictly increasing times")


def _check_rows(
    trajectory: JointTrajectory, field: str, rows: tuple[tuple[float, ...], ...]
) -> None:
    joints, points = len(trajectory.joint_names), len(trajectory.time_from_start_ns)
    if len(rows) != points:
        raise TrajectoryRejectedError(f"{field}: got {len(rows)} points, expected {points}")
    for index, row in enumerate(rows):
        if len(row) != joints:
            raise TrajectoryRejectedError(
                f"{field} of point {index}: got {len(row)} values for {joints} joints"
            )
        if not np.all(np.isfinite(row)):
            raise TrajectoryRejectedError(f"{field} of point {index} is not finite")

"""The kinematic filter: what the arms cannot follow, or must not.

Waypoints come from a learned model, a few millimetres off, at a few hertz. So limits on velocity
and acceleration hold for finite differences of the waypoints, which is what the controllers
interpolate, and collisions are looked for on the way between waypoints too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.errors import ShapeError
from wm_planner.filters.filter import Filter
from wm_planner.filters.worst_case import worst_case
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import setting
from wm_planner.types import (
    HANDS,
    ActionChunks,
    JointTrajectories,
    RejectionReason,
    Verdicts,
)


@dataclass(frozen=True)
class KinematicFilterSettings:
    """How far a candidate may go; limits of single joints are the robot's own."""

    ik_position_error: float = setting(
        0.015, unit="m", minimum=0.0, maximum=0.5, help="largest miss of a tool's position"
    )
    ik_rotation_error: float = setting(
        0.15, unit="rad", minimum=0.0, maximum=3.2, help="largest miss of a tool's rotation"
    )
    joint_overshoot: float = setting(
        0.0, unit="rad or m", minimum=0.0, maximum=0.5, help="how far past a joint's position limit"
    )
    velocity_fraction: float = setting(
        1.0, minimum=0.0, maximum=2.0, help="largest fraction of a joint's velocity limit"
    )
    acceleration_fraction: float = setting(
        1.0, minimum=0.0, maximum=10.0, help="largest fraction of a joint's acceleration limit"
    )
    start_jump: float = setting(
        1.0, unit="rad or m", minimum=0.0, maximum=3.2, help="largest way of a joint to step 0"
    )
    self_clearance: float = setting(
        0.0,
        unit="m",
        minimum=0.0,
        maximum=0.2,
        help="smallest distance of an arm from its own body",
    )
    inter_arm_clearance: float = setting(
        0.01, unit="m", minimum=0.0, maximum=0.5, help="smallest distance between the arms"
    )
    collision_samples: int = setting(
        3, minimum=1, maximum=50, help="postures tested for collision on the way to each waypoint"
    )
    workspace_overshoot: float = setting(
        0.0, unit="m", minimum=0.0, maximum=1.0, help="how far a tool may leave the workspace box"
    )
    gripper_overshoot: float = setting(
        0.02, unit="m", minimum=0.0, maximum=0.2, help="how far a width may leave its range"
    )


class KinematicFilter(Filter):
    """Measures every candidate against the robot's limits, one Verdicts for each of them."""

    name = "kinematic"

    def __init__(self, robot: RobotModel, settings: KinematicFilterSettings | None = None) -> None:
        self.robot = robot
        self.settings = settings or KinematicFilterSettings()

    def judge(
        self,
        chunks: ActionChunks,
        trajectories: JointTrajectories,
        measured_joint_position: np.ndarray,
    ) -> tuple[Verdicts, ...]:
        q = trajectories.joint_position  # (K, H, D)
        measured = np.asarray(measured_joint_position, dtype=np.float64)
        if q.shape[:2] != chunks.actions.shape[:2] or q.shape[2:] != measured.shape:
            raise ShapeError(
                f"kinematic filter: got actions {chunks.actions.shape}, joint positions {q.shape} "
                f"and measured joints {measured.shape}, expected (K, H, 20), (K, H, D) and (D,)"
            )
        path = np.concatenate([np.broadcast_to(measured, q[:, :1].shape), q], axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            return (
                self._finite(chunks, trajectories),
                *self._ik_residual(trajectories),
                self._joint_position(q),
                self._start_state(path),
                self._joint_velocity(path, chunks.dt),
                self._joint_acceleration(path, chunks.dt),
                self._gripper_range(chunks),
                *self._on_the_way(path, trajectories.gripper_width),
            )

    def _finite(self, chunks: ActionChunks, trajectories: JointTrajectories) -> Verdicts:
        bad = ~np.isfinite(chunks.actions).reshape(*chunks.actions.shape[:2], 2, -1)
        reason = RejectionReason.NOT_FINITE
        count = bad.sum(axis=-1, dtype=float)  # (K, H, 2)
        count += ~np.isfinite(trajectories.joint_velocity).all(axis=-1, keepdims=True)
        return worst_case(self.name, reason, count, 0.0, "values that are not finite", HANDS)

    def _ik_residual(self, trajectories: JointTrajectories) -> tuple[Verdicts, Verdicts]:
        reason, limits = RejectionReason.IK_RESIDUAL, self.settings
        miss, turn = trajectories.ik_position_error, trajectories.ik_rotation_error
        return (
            worst_case(self.name, reason, miss, limits.ik_position_error, "m", HANDS),
            worst_case(self.name, reason, turn, limits.ik_rotation_error, "rad", HANDS),
        )

    def _joint_position(self, q: np.ndarray) -> Verdicts:
        robot, reason = self.robot, RejectionReason.JOINT_POSITION
        over = np.maximum(q - robot.position_upper, robot.position_lower - q)
        unit = "rad past its limit"
        return worst_case(
            self.name, reason, over, self.settings.joint_overshoot, unit, robot.joint_names
        )

    def _start_state(self, path: np.ndarray) -> Verdicts:
        jump = np.abs(path[:, 1:2] - path[:, :1])  # (K, 1, D)
        reason, names = RejectionReason.START_STATE, self.robot.joint_names
        return worst_case(self.name, reason, jump, self.settings.start_jump, "rad", names)

    def _joint_velocity(self, path: np.ndarray, dt: float) -> Verdicts:
        fraction = np.abs(np.diff(path, axis=1)) / dt / self.robot.velocity_limit
        reason, limit = RejectionReason.JOINT_VELOCITY, self.settings.velocity_fraction
        return worst_case(
            self.name, reason, fraction, limit, "of its limit", self.robot.joint_names
        )

    def _joint_acceleration(self, path: np.ndarray, dt: float) -> Verdicts:
        acceleration = np.abs(np.diff(path, n=2, axis=1)) / dt**2  # (K, H - 1, D), at its waypoint
        last = np.zeros_like(path[:, :1])  # the last waypoint has no next one
        fraction = np.concatenate([acceleration, last], axis=1) / self.robot.acceleration_limit
        reason, limit = RejectionReason.JOINT_ACCELERATION, self.settings.acceleration_fraction
        return worst_case(
            self.name, reason, fraction, limit, "of its limit", self.robot.joint_names
        )

    def _gripper_range(self, chunks: ActionChunks) -> Verdicts:
        # Of the actions, not of the trajectories: there the widths are brought into range.
        hands = chunks.actions.reshape(*chunks.actions.shape[:2], 2, actions.HAND_SIZE)
        width = hands[..., actions.WIDTH]
        over = np.maximum(width - self.robot.rig.max_gripper_width, -width)
        reason, limit = RejectionReason.GRIPPER_RANGE, self.settings.gripper_overshoot
        return worst_case(self.name, reason, over, limit, "m past its range", HANDS)

    def _on_the_way(self, path: np.ndarray, width: np.ndarray) -> tuple[Verdicts, ...]:
        """Judge where the tools and links are, on straight lines in joint space."""
        samples = self.settings.collision_samples
        share = np.arange(1, samples + 1)[:, None] / samples
        start, way = path[:, :-1, None], np.diff(path, axis=1)[:, :, None]
        q = (start + share * way).reshape(-1, path.shape[2])  # (K H samples, D)
        shape = (len(path), path.shape[1] - 1, samples)
        report = self.robot.collisions(q, np.repeat(width.reshape(-1, 2), samples, axis=0))
        position, _ = self.robot.forward_kinematics(q)
        box = self.robot.rig.workspace
        outside = np.maximum(position - np.array(box.upper), np.array(box.lower) - position)
        outside = outside.max(axis=-1).reshape(*shape[:2], -1)  # (K, H, samples 2)
        within, between = report.self_distance, report.inter_arm_distance
        # Negated, so that more is worse: a clearance of 5 mm measures -0.005 m.
        return (
            worst_case(
                self.name,
                RejectionReason.SELF_COLLISION,
                -within.reshape(shape),
                0.0 - self.settings.self_clearance,
                "m deep",
                np.reshape(report.self_pair, shape),
            ),
            worst_case(
                self.name,
                RejectionReason.INTER_ARM_COLLISION,
                -between.reshape(shape),
                0.0 - self.settings.inter_arm_clearance,
                "m deep",
                np.reshape(report.inter_arm_pair, shape),
            ),
            worst_case(
                self.name,
                RejectionReason.WORKSPACE,
                outside,
                self.settings.workspace_overshoot,
                "m outside",
                HANDS * samples,
            ),
        )

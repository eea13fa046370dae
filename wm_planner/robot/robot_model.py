"""A two-armed robot from its URDF and rig file: kinematics of many candidates, and collisions."""

from __future__ import annotations

import numpy as np

from wm_planner import actions
from wm_planner.errors import ShapeError
from wm_planner.robot import inverse_kinematics
from wm_planner.robot.collision_model import CollisionReport
from wm_planner.robot.collision_pairs import collision_model, full_postures
from wm_planner.robot.inverse_kinematics import InverseKinematicsSettings
from wm_planner.robot.joint_limits import joint_limits
from wm_planner.robot.rig_description import RigDescription
from wm_planner.robot.urdf_model import load_urdf
from wm_planner.types import ActionChunks, HandPoses, JointTrajectories


class RobotModel:
    """What the arms can reach, how fast, and where they touch.

    Joint vectors have D entries in the order of `joint_names`, left arm first; hands are left,
    right; poses are tool frames in the rig's base frame.

    Attributes:
        rig: the rig file.
        joint_names: D names.
        position_lower: shape (D,), rad (m for a sliding joint); -inf where there is no limit.
        position_upper: shape (D,), rad.
        velocity_limit: shape (D,), rad/s.
        acceleration_limit: shape (D,), rad/s^2.
        jerk_limit: shape (D,), rad/s^3; inf where neither URDF nor rig file gives one.
        width_rate_limit: of the grippers' widths, shape (2,), m/s; inf where the URDF gives none.
        joint_units: D times "rad", or "m" for a sliding joint.
    """

    def __init__(
        self, rig: RigDescription, ik_settings: InverseKinematicsSettings | None = None
    ) -> None:
        """Load the URDF and check the rig file against it."""
        self.rig = rig
        self.joint_names = rig.joint_names
        self._ik_settings = ik_settings or InverseKinematicsSettings()
        self._urdf = load_urdf(rig)
        self._chains = self._urdf.chains
        limits = joint_limits(rig, self._urdf)
        self.position_lower, self.position_upper = limits.lower, limits.upper
        self.velocity_limit, self.acceleration_limit = limits.velocity, limits.acceleration
        self.jerk_limit, self.width_rate_limit = limits.jerk, limits.width_rate
        self.joint_units = self._urdf.units(self.joint_names)
        self._collisions = collision_model(rig, self._urdf, limits)

    def forward_kinematics(self, joint_position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return tool positions (..., 2, 3) in m and rotations (..., 2, 3, 3).

        Args:
            joint_position: shape (..., D), rad.
        """
        joint_position = self._checked(joint_position)
        lead = joint_position.shape[:-1]
        q = self._chains.gather(joint_position.reshape(-1, len(self.joint_names)))
        position, rotation = self._chains.forward(q)
        return position.reshape(*lead, 2, 3), rotation.reshape(*lead, 2, 3, 3)

    def hand_poses(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> HandPoses:
        """Return poses with leading axes (...) of joints (..., D) and widths (..., 2) in m."""
        return HandPoses(*self.forward_kinematics(joint_position), gripper_width)

    def condition_number(self, joint_position: np.ndarray, length: float) -> np.ndarray:
        """Return the condition number of each arm's Jacobian, shape (..., 2).

        1 is best. An arm that cannot move its tool in some direction measures inf, and joints that
        are not finite NaN. Of an arm with fewer than six joints it is that of what it can do.

        Args:
            joint_position: shape (..., D), rad.
            length: motion of the tool that counts as much as a turn by 1 rad, m.
        """
        joint_position = self._checked(joint_position)
        q = self._chains.gather(joint_position.reshape(-1, len(self.joint_names)))
        usable = np.isfinite(q).all(axis=(1, 2))
        _, _, jacobian = self._chains.jacobian(q[usable])
        jacobian[:, :, :3] /= length
        condition = np.full((len(q), 2), np.nan)
        for side, movable in enumerate(self._chains.movable):
            values = np.linalg.svd(jacobian[:, side][..., movable], compute_uv=False)
            with np.errstate(divide="ignore"):
                condition[usable, side] = values[:, 0] / values[:, -1]
        return condition.reshape(*joint_position.shape[:-1], 2)

    def inverse_kinematics(
        self, targets: HandPoses, start: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Follow K chunks of targets (K, H) within the joint limits.

        Args:
            targets: base frame.
            start: joint positions the first step is solved from, shape (D,), rad.

        Returns:
            Joint positions (K, H, D) rad, remaining distance (K, H, 2) m and angle (K, H, 2) rad.
            NaN where a target is not finite.
        """
        start = self._checked(start)
        if len(targets.lead) != 2 or start.ndim != 1:
            raise ShapeError(
                f"inverse kinematics: got targets of {targets.lead} and start of {start.shape}, "
                "expected (K, H) and (D,)"
            )
        return inverse_kinematics.solve(
            self._chains,
            self.position_lower,
            self.position_upper,
            targets,
            start,
            self._ik_settings,
        )

    def trajectories(
        self, chunks: ActionChunks, start: HandPoses, joint_position: np.ndarray
    ) -> JointTrajectories:
        """Bring candidates into joint space.

        Args:
            chunks: relative actions (K, H, 20).
            start: measured hand poses at the chunks' start, no leading axes.
            joint_position: measured joints at the chunks' start, shape (D,), rad.

        Returns:
            Positions within the joint limits; velocities by central differences (one-sided at the
            last step); widths within the grippers' range. NaN from the first step that is not
            finite on.
        """
        joint_position = self._checked(joint_position)
        with np.errstate(invalid="ignore", over="ignore"):
            targets = actions.integrate(start, chunks.actions)
        q, distance, angle = self.inverse_kinematics(targets, joint_position)
        path = np.concatenate([np.broadcast_to(joint_position, q[:, :1].shape), q], axis=1)
        return JointTrajectories(
            joint_position=q,
            joint_velocity=np.gradient(path, chunks.dt, axis=1)[:, 1:],
            gripper_width=np.clip(targets.width, 0.0, self.rig.max_gripper_width),
            ik_position_error=distance,
            ik_rotation_error=angle,
        )

    def collisions(
        self, joint_position: np.ndarray, gripper_width: np.ndarray | None = None
    ) -> CollisionReport:
        """Measure how near N postures come to touching themselves.

        Args:
            joint_position: shape (N, D), rad.
            gripper_width: shape (N, 2), m; None for wide open.
        """
        joint_position = self._checked(joint_position)
        if gripper_width is None:
            gripper_width = np.tile(self.rig.max_gripper_width, (len(joint_position), 1))
        return self._collisions.measure(self._full(joint_position, gripper_width))

    def collisions_on_the_way(
        self,
        joint_position: np.ndarray,
        gripper_width: np.ndarray,
        self_clearance: float,
        inter_arm_clearance: float,
    ) -> CollisionReport:
        """Measure how near the arms come to touching themselves all along paths.

        Between two postures all joints move at the same share of their way.

        Args:
            joint_position: K paths of H + 1 postures, shape (K, H + 1, D), rad.
            gripper_width: shape (K, H + 1, 2), m.
            self_clearance: distance that is enough within an arm, m; a way that is nearer than
                that is not measured any further.
            inter_arm_clearance: the same between the arms, m.

        Returns:
            K H rows: the ways to the second posture of each path and on.
        """
        postures = self._full(self._checked(joint_position), gripper_width)
        start, end = (
            part.reshape(-1, postures.shape[-1]) for part in (postures[:, :-1], postures[:, 1:])
        )
        return self._collisions.measure_ways(start, end, self_clearance, inter_arm_clearance)

    @property
    def unchecked_links(self) -> tuple[str, ...]:
        """Links that `collisions` knows nothing of: their mesh files are missing."""
        return self._urdf.shapeless

    @property
    def collision_pairs(self) -> set[frozenset[str]]:
        """Pairs of links that `collisions` measures."""
        return self._collisions.pairs

    def _full(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> np.ndarray:
        return full_postures(self.rig, joint_position, gripper_width)

    def _checked(self, joint_position: np.ndarray) -> np.ndarray:
        joint_position = np.asarray(joint_position, dtype=np.float64)
        if joint_position.ndim == 0 or joint_position.shape[-1] != len(self.joint_names):
            raise ShapeError(
                f"joint_position: got shape {joint_position.shape}, "
                f"expected (..., {len(self.joint_names)}) for {', '.join(self.joint_names)}"
            )
        return joint_position

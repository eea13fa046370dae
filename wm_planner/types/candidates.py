"""What passes between the stages: K candidates, each H steps of dt seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.types.arrays import frozen_array


@dataclass(frozen=True, eq=False)
class Rollouts:
    """K dreams in the latent space of one world model; pixels are decoded on demand.

    Attributes:
        latents: shape (K, H, ...), float16. Frame k shows the time start_ns + (k + 1) * dt.
        dt: spacing of the frames, s.
        start_ns: stamp of the newest observed frame.
        seed: what the noise was drawn from.
        bundle_hash: the world model bundle that decodes them.
    """

    latents: np.ndarray
    dt: float
    start_ns: int
    seed: int
    bundle_hash: str

    def __post_init__(self) -> None:
        """Check the shape and freeze the array."""
        latents = frozen_array("Rollouts.latents", self.latents, ("K", "H", ...), np.float16)
        object.__setattr__(self, "latents", latents)


@dataclass(frozen=True, eq=False)
class ActionChunks:
    """K candidate chunks of relative 20-D actions. May hold NaN: filters reject it.

    Attributes:
        actions: shape (K, H, 20); step k is relative to the target of step k - 1, step 0 to the
            pose measured at start_ns. Target k is due at start_ns + (k + 1) * dt.
        variance: shape (K, H, 20), in the square of each component's unit.
        dt: spacing of the steps, s.
        start_ns: stamp of the newest observed frame.
        bundle_hash: the world model bundle whose dreams they were read from.
    """

    actions: np.ndarray
    variance: np.ndarray
    dt: float
    start_ns: int
    bundle_hash: str

    def __post_init__(self) -> None:
        """Check the shapes and freeze the arrays."""
        axes: dict[str, int] = {}
        for name in ("actions", "variance"):
            value = frozen_array(
                f"ActionChunks.{name}", getattr(self, name), ("K", "H", 20), np.float64, axes
            )
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class JointTrajectories:
    """K chunks in joint space, as far as inverse kinematics could follow them.

    Attributes:
        joint_position: shape (K, H, D), rad.
        joint_velocity: shape (K, H, D), rad/s.
        gripper_width: shape (K, H, 2), m.
        ik_position_error: shape (K, H, 2), distance of each tool from its target, m.
        ik_rotation_error: shape (K, H, 2), angle of each tool from its target, rad.
    """

    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray
    ik_position_error: np.ndarray
    ik_rotation_error: np.ndarray

    def __post_init__(self) -> None:
        """Check the shapes and freeze the arrays."""
        axes: dict[str, int] = {}
        for name, last in (
            ("joint_position", "D"),
            ("joint_velocity", "D"),
            ("gripper_width", 2),
            ("ik_position_error", 2),
            ("ik_rotation_error", 2),
        ):
            label = f"JointTrajectories.{name}"
            value = frozen_array(label, getattr(self, name), ("K", "H", last), np.float64, axes)
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class Scores:
    """One scorer's opinion of every candidate; higher is better.

    Attributes:
        scorer: which scorer.
        contribution: shape (K,), already weighted; candidates are compared by the sum over scorers.
    """

    scorer: str
    contribution: np.ndarray

    def __post_init__(self) -> None:
        """Check the shape and freeze the array."""
        value = frozen_array(f"Scores[{self.scorer}].contribution", self.contribution, ("K",))
        object.__setattr__(self, "contribution", value)

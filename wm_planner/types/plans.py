"""What the planner decided and what is sent to the robot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from wm_planner.types.arrays import frozen_array, require_finite
from wm_planner.types.verdicts import Verdicts


class ReplanReason(str, Enum):
    """Why the planner is asked to look again."""

    PLAN_ENDING = "PLAN_ENDING"
    DRIFT = "DRIFT"
    TRACKING_ERROR = "TRACKING_ERROR"
    NEW_GOAL = "NEW_GOAL"
    OBJECTIVE_CHANGED = "OBJECTIVE_CHANGED"
    STALE_OBSERVATION = "STALE_OBSERVATION"


@dataclass(frozen=True, eq=False)
class Plan:
    """The chosen candidate, anchored in time: row k is due at start_ns + (k + 1) * dt.

    Attributes:
        plan_id: counts up from 1 within a run.
        start_ns: stamp of the newest observed frame.
        dt: spacing of the rows, s; more than the dream's where the arms are to be slower.
        actions: shape (H, 20), relative 20-D actions.
        joint_position: shape (H, D), rad.
        joint_velocity: shape (H, D), rad/s.
        gripper_width: shape (H, 2), commanded opening, m.
        dream: shape (H, ...), float16 latents of the rollout it came from.
        bundle_hash: the world model bundle that decodes the dream.
        candidate: which of the K candidates it was.
    """

    plan_id: int
    start_ns: int
    dt: float
    actions: np.ndarray
    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray
    dream: np.ndarray
    bundle_hash: str
    candidate: int

    def __post_init__(self) -> None:
        """Check that everything to be executed is finite, and freeze the arrays."""
        axes: dict[str, int] = {}
        for name, last in (
            ("actions", 20),
            ("joint_position", "D"),
            ("joint_velocity", "D"),
            ("gripper_width", 2),
        ):
            value = frozen_array(f"Plan.{name}", getattr(self, name), ("H", last), np.float64, axes)
            require_finite(f"Plan.{name}", value)
            object.__setattr__(self, name, value)
        dream = frozen_array("Plan.dream", self.dream, ("H", ...), np.float16, axes)
        object.__setattr__(self, "dream", dream)

    @property
    def end_ns(self) -> int:
        """When the last row is due."""
        return self.start_ns + round(len(self.actions) * self.dt * 1e9)


@dataclass(frozen=True, eq=False)
class NoPlan:
    """No candidate was good enough, and why; the robot holds.

    Attributes:
        start_ns: stamp of the newest observed frame.
        reason: a sentence.
        verdicts: everything the filters measured.
    """

    start_ns: int
    reason: str
    verdicts: tuple[Verdicts, ...] = ()


@dataclass(frozen=True, eq=False)
class Command:
    """One set point for all joints.

    Attributes:
        stamp_ns: when it shall be reached.
        joint_position: shape (D,), rad.
        joint_velocity: shape (D,), rad/s.
        gripper_width: shape (2,), m.
        plan_id: the plan it was sampled from; 0 when it belongs to none.
        step: the row of that plan that comes next; -1 when it belongs to none.
    """

    stamp_ns: int
    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray
    plan_id: int = 0
    step: int = -1

    def __post_init__(self) -> None:
        """Check that it is finite, and freeze the arrays."""
        axes: dict[str, int] = {}
        shapes = (("joint_position", "D"), ("joint_velocity", "D"), ("gripper_width", 2))
        for name, size in shapes:
            label = f"Command.{name}"
            value = frozen_array(label, getattr(self, name), (size,), np.float64, axes)
            require_finite(label, value)
            object.__setattr__(self, name, value)

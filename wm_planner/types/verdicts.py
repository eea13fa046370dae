"""Why candidates are rejected: measured values against limits, never a bare yes or no."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from wm_planner.errors import ShapeError
from wm_planner.types.arrays import frozen_array


class RejectionReason(str, Enum):
    """What a filter measured."""

    NOT_FINITE = "NOT_FINITE"
    IK_RESIDUAL = "IK_RESIDUAL"
    JOINT_POSITION = "JOINT_POSITION"
    JOINT_VELOCITY = "JOINT_VELOCITY"
    JOINT_ACCELERATION = "JOINT_ACCELERATION"
    JOINT_JERK = "JOINT_JERK"
    SINGULARITY = "SINGULARITY"
    SELF_COLLISION = "SELF_COLLISION"
    INTER_ARM_COLLISION = "INTER_ARM_COLLISION"
    WORKSPACE = "WORKSPACE"
    GRIPPER_RANGE = "GRIPPER_RANGE"
    START_STATE = "START_STATE"
    SEAM = "SEAM"
    FAR_FROM_REFERENCE = "FAR_FROM_REFERENCE"
    FAR_FROM_DEMONSTRATIONS = "FAR_FROM_DEMONSTRATIONS"
    FAR_FROM_CONSENSUS = "FAR_FROM_CONSENSUS"
    CYCLE_INCONSISTENT = "CYCLE_INCONSISTENT"


@dataclass(frozen=True, eq=False)
class Verdicts:
    """One filter's measurement of every candidate against one limit.

    Attributes:
        filter: which filter.
        reason: what was measured.
        measured: shape (K,), worst value over the chunk, in `unit`.
        limit: largest acceptable value, in `unit`.
        unit: "rad", "m", "rad/s"...
        where: K names of the hand, joint or pair of bodies at the worst value, or "".
        first_bad_step: shape (K,), int64, first step over the limit, -1 when none is.
        slowdown: shape (K,), how many times slower than dreamed a candidate has to be carried out;
            None for 1 throughout.
    """

    filter: str
    reason: RejectionReason
    measured: np.ndarray
    limit: float
    unit: str
    where: tuple[str, ...]
    first_bad_step: np.ndarray
    slowdown: np.ndarray = None  # type: ignore[assignment]  # filled in below

    def __post_init__(self) -> None:
        """Check the shapes and freeze the arrays."""
        axes: dict[str, int] = {}
        label = f"Verdicts[{self.filter}]"
        measured = frozen_array(f"{label}.measured", self.measured, ("K",), np.float64, axes)
        step = frozen_array(f"{label}.first_bad_step", self.first_bad_step, ("K",), np.int64, axes)
        if len(self.where) != axes["K"]:
            raise ShapeError(f"{label}.where has {len(self.where)} names, expected {axes['K']}")
        slowdown = np.ones(axes["K"]) if self.slowdown is None else self.slowdown
        slowdown = frozen_array(f"{label}.slowdown", slowdown, ("K",), np.float64, axes)
        if not (slowdown >= 1.0).all():
            raise ShapeError(f"{label}.slowdown is {slowdown.min()}, expected at least 1")
        object.__setattr__(self, "slowdown", slowdown)
        object.__setattr__(self, "measured", measured)
        object.__setattr__(self, "first_bad_step", step)
        object.__setattr__(self, "where", tuple(self.where))

    @property
    def accepted(self) -> np.ndarray:
        """Shape (K,), bool. NaN compares false, so what cannot be measured is rejected."""
        return np.less_equal(self.measured, self.limit)

    def sentence(self, k: int) -> str:
        """Tell a person how candidate k fared."""
        name = self.reason.value.lower().replace("_", " ")
        value = f"{self.measured[k]:.4g} {self.unit}".rstrip()
        limit = f"{self.limit:.4g} {self.unit}".rstrip()
        at = f" at {self.where[k]}" if self.where[k] else ""
        if self.accepted[k]:
            slower = float(self.slowdown[k])
            pace = f", if carried out {slower:.1f} times slower" if slower > 1.0 else ""
            return f"candidate {k}: {name} {value}{at} is within {limit}{pace}"
        step = int(self.first_bad_step[k])
        when = f", first at step {step}" if step >= 0 else ""
        return f"candidate {k}: {name} {value}{at} is over {limit}{when} ({self.filter})"

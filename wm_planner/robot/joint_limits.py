"""Limits of the arm joints: the URDF's, tightened and completed by the rig file; of widths too."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from wm_planner.errors import ConfigurationError
from wm_planner.robot.rig_description import RigDescription
from wm_planner.robot.urdf_model import UrdfModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class JointLimits:
    """One entry for each of the D arm joints, read-only.

    Attributes:
        lower: lowest position, rad (m for a sliding joint); -inf where there is no limit.
        upper: highest position, rad.
        velocity: largest, rad/s.
        acceleration: largest, rad/s^2.
        jerk: largest, rad/s^3; inf where there is no limit.
        width_rate: shape (2,), of the grippers' widths, m/s, as their fastest-moving joint allows;
            inf where the URDF limits none.
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    width_rate: np.ndarray


def joint_limits(rig: RigDescription, urdf: UrdfModel) -> JointLimits:
    """Read the limits, and check that the rig file's postures respect them."""
    _check_postures(rig, urdf)
    lower, upper, velocity = np.array([urdf.joint_limits(name) for name in rig.joint_names]).T
    acceleration = np.minimum(_attribute(rig, "acceleration"), rig.limits.acceleration)
    jerk = np.minimum(_attribute(rig, "jerk"), rig.limits.jerk or np.inf)
    unlimited = [name for name, limit in zip(rig.joint_names, jerk, strict=True) if limit == np.inf]
    if unlimited:
        logger.info(
            "rig %s: neither %s nor limits.jerk in the rig file limits the jerk of %s: not judged",
            *(rig.name, rig.urdf.name, ", ".join(unlimited)),
        )
    velocity, width_rate = _velocity_limit(rig, velocity), _width_rate(rig, urdf)
    arrays = (lower.copy(), upper.copy(), velocity, acceleration, jerk, width_rate)
    for array in arrays:
        array.setflags(write=False)
    return JointLimits(*arrays)


def _attribute(rig: RigDescription, name: str) -> np.ndarray:
    """Return an attribute of the URDF's limits (D,); inf where a joint has none.

    URDF 1.2 has acceleration and jerk there. Pinocchio does not read them.
    """
    limits = {
        joint.get("name"): joint.find("limit")
        for joint in ElementTree.parse(rig.urdf).getroot().iter("joint")
    }
    values = []
    for joint in rig.joint_names:
        limit = limits[joint]
        text = limit.get(name, "inf") if limit is not None else "inf"
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not value > 0.0:
            raise ConfigurationError(
                f"{rig.urdf}: limit of {joint}: got {name} {text!r}, expected a number above 0"
            )
        values.append(value)
    return np.array(values)


def _velocity_limit(rig: RigDescription, from_urdf: np.ndarray) -> np.ndarray:
    """Return the stricter of the URDF's and the rig file's limit, shape (D,)."""
    known = np.where(from_urdf > 0.0, from_urdf, np.inf)  # many URDFs write 0 for "unknown"
    if rig.limits.velocity is not None:
        known = np.minimum(known, rig.limits.velocity)
    for name, limit in zip(rig.joint_names, known, strict=True):
        if not np.isfinite(limit):
            raise ConfigurationError(
                f"rig {rig.name}: {rig.urdf.name} gives {name} no velocity limit; "
                "set limits.velocity in the rig file"
            )
    return known


def _width_rate(rig: RigDescription, urdf: UrdfModel) -> np.ndarray:
    """Return how fast each hand's width may change, shape (2,), m/s."""
    slowest = []
    for hand in rig.hands:
        gripper = hand.gripper
        velocity = np.array([urdf.joint_limits(name)[2] for name in gripper.joint_names])
        travel = np.abs(np.array(gripper.open) - np.array(gripper.closed))
        limited = (velocity > 0.0) & (travel > 0.0)
        rates = gripper.max_width * velocity[limited] / travel[limited]
        slowest.append(float(rates.min(initial=np.inf)))
    return np.array(slowest)


def _check_postures(rig: RigDescription, urdf: UrdfModel) -> None:
    """Check that home and the grippers' ends are within the URDF's limits."""
    for hand in rig.hands:
        gripper = hand.gripper
        rows = [
            *(
                (name, "home", value)
                for name, value in zip(hand.joint_names, hand.home, strict=True)
            ),
            *((n, "closed", v) for n, v in zip(gripper.joint_names, gripper.closed, strict=True)),
            *((n, "open", v) for n, v in zip(gripper.joint_names, gripper.open, strict=True)),
        ]
        for name, what, value in rows:
            lower, upper, _ = urdf.joint_limits(name)
            if not lower - 1e-6 <= value <= upper + 1e-6:
                raise ConfigurationError(
                    f"rig {rig.name}: hands.{hand.side}: {what} of {name}: got {value}, expected "
                    f"{lower} to {upper} as in {rig.urdf.name}"
                )

"""Inverse kinematics of many candidates at once: damped least squares within joint limits.

Wampler 1986, "Manipulator inverse kinematic solutions based on vector formulations and damped
least-squares methods", equation 13: dq = J^T (J J^T + damping I)^-1 e. Steps of a chunk are solved
in order, each from the solution before it, so that an arm never jumps to another posture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.robot.kinematic_chains import KinematicChains
from wm_planner.settings import setting
from wm_planner.types import HandPoses

FARTHEST_M = 1e3  # nothing reaches there, and squares of much more would overflow


@dataclass(frozen=True)
class InverseKinematicsSettings:
    """When the iteration ends and how boldly it steps."""

    tolerance: float = setting(
        1e-4, unit="m and rad", minimum=1e-9, maximum=1e-2, help="residual that counts as reached"
    )
    iterations: int = setting(
        20, minimum=1, maximum=200, help="most iterations for one step of the chunk"
    )
    damping: float = setting(
        1e-4, minimum=1e-9, maximum=1.0, help="larger is slower but calmer near singular postures"
    )
    largest_move: float = setting(
        0.5, unit="rad or m", minimum=1e-3, maximum=3.0, help="most one joint moves per iteration"
    )


def solve(
    chains: KinematicChains,
    lower: np.ndarray,
    upper: np.ndarray,
    targets: HandPoses,
    start: np.ndarray,
    settings: InverseKinematicsSettings,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow K chunks of hand poses.

    Args:
        chains: the arms.
        lower: lowest joint positions, shape (D,), rad; -inf for none.
        upper: highest joint positions, shape (D,), rad.
        targets: leading axes (K, H), base frame.
        start: joint positions the first step is solved from, shape (D,), rad.
        settings: when to stop.

    Returns:
        Joint positions (K, H, D) within the limits, and what remains at each tool: distance
        (K, H, 2) in m and angle (K, H, 2) in rad. NaN for both hands of a step where a target is
        not finite or absurdly far away; later steps go on from the last usable one.
    """
    count, steps = targets.lead
    usable = (np.abs(targets.position) <= FARTHEST_M).all(axis=(2, 3))
    usable &= np.isfinite(targets.rotation).all(axis=(2, 3, 4))  # (K, H)
    low, high = chains.gather(lower), chains.gather(upper)
    first = np.clip(chains.gather(np.asarray(start, dtype=np.float64)), low, high)
    q = np.broadcast_to(first, (count, *first.shape)).copy()  # (K, 2, N)
    joint_position = np.full((count, steps, len(lower)), np.nan)
    distance, angle = np.full((2, count, steps, 2), np.nan)
    for step in range(steps):
        rows = usable[:, step]
        if not rows.any():
            continue
        position, rotation = targets.position[rows, step], targets.rotation[rows, step]
        q[rows], distance[rows, step], angle[rows, step] = _reach(
            chains, low, high, position, rotation, q[rows], settings
        )
        joint_position[rows, step] = chains.scatter(q[rows], len(lower))
    return joint_position, distance, angle


def _reach(
    chains: KinematicChains,
    low: np.ndarray,
    high: np.ndarray,
    position: np.ndarray,
    rotation: np.ndarray,
    q: np.ndarray,
    settings: InverseKinematicsSettings,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move q (B, 2, N) so that the tools meet position (B, 2, 3) and rotation (B, 2, 3, 3).

    Rows that have arrived rest, so that no candidate's result depends on its companions.
    """
    q = q.copy()
    distance, angle = np.empty((2, len(q), 2))
    active = np.arange(len(q))
    for iteration in range(settings.iterations + 1):
        at, turned, jacobian = chains.jacobian(q[active])
        shift = position[active] - at
        twist = rotation_vector(rotation[active] @ np.swapaxes(turned, -1, -2))
        distance[active] = np.linalg.norm(shift, axis=-1)
        angle[active] = np.linalg.norm(twist, axis=-1)
        going = np.maximum(distance[active], angle[active]).max(axis=1) > settings.tolerance
        active = active[going]
        if len(active) == 0 or iteration == settings.iterations:
            break
        error = np.concatenate([shift, twist], axis=-1)[going]  # (B, 2, 6)
        move = _step(jacobian[going], error, q[active] <= low, q[active] >= high, settings)
        q[active] = np.clip(q[active] + move, low, high)
    return q, distance, angle


def _step(
    jacobian: np.ndarray,
    error: np.ndarray,
    at_low: np.ndarray,
    at_high: np.ndarray,
    settings: InverseKinematicsSettings,
) -> np.ndarray:
    """Return one damped least-squares step (B, 2, N) against error (B, 2, 6)."""
    pull = (np.swapaxes(jacobian, -1, -2) @ error[..., None])[..., 0]
    # A joint held at its limit and pulled outwards cannot help: leave the work to the others.
    stuck = (at_low & (pull < 0.0)) | (at_high & (pull > 0.0))
    free = jacobian * ~stuck[:, :, None, :]
    across = np.swapaxes(free, -1, -2)
    system = free @ across + settings.damping * np.eye(6)
    move = (across @ np.linalg.solve(system, error[..., None]))[..., 0]
    return np.clip(move, -settings.largest_move, settings.largest_move)


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """Return axis times angle, shape (..., 3), rad, of rotations (..., 3, 3).

    Exact below pi. At pi the axis is lost and some axis is returned with the right angle, so that a
    residual of half a turn is never taken for none.
    """
    skew = np.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        axis=-1,
    )  # 2 sin(angle) axis
    size = np.linalg.norm(skew, axis=-1, keepdims=True)
    trace = np.trace(rotation, axis1=-2, axis2=-1)[..., None]
    angle = np.arctan2(size, trace - 1.0)
    axis = np.where(size > 1e-9, skew / np.maximum(size, 1e-9), np.eye(3)[0])
    return np.where(angle > 1e-6, angle * axis, 0.5 * skew)

"""The 20-D bimanual action: the only place that knows its layout.

Per hand 10 numbers, left hand first:

- 0..2: position of the target minus position of the start, m, base frame;
- 3..8: first two columns of R_start^T R_target, column by column (Zhou et al. 2019, "On the
  Continuity of Rotation Representations in Neural Networks", section 4: continuous, and any six
  numbers decode to a rotation by Gram-Schmidt);
- 9: gripper width commanded at the target, absolute, m.

*Packed poses* share the layout but are absolute: position and rotation in the base frame. They
only travel between this package and its networks.
"""

from __future__ import annotations

import numpy as np

from wm_planner.errors import ShapeError
from wm_planner.types import HandPoses

ACTION_SIZE = 20
HAND_SIZE = 10
HAND_SLICES = {"left": slice(0, 10), "right": slice(10, 20)}
POSITION = slice(0, 3)  # within one hand
ROTATION = slice(3, 9)  # within one hand
WIDTH = 9  # within one hand
CONVENTION = "per hand: base-frame position delta, columns 1-2 of R_t^T R_t+1, absolute width"

# Swapping left and right reflects the base frame's x (to the right) and, for arms that are built
# alike, the tool frame's y (across the fingers).
MIRROR_BASE = np.diag([-1.0, 1.0, 1.0])
MIRROR_TOOL = np.diag([1.0, -1.0, 1.0])

DEGENERATE_NORM = 1e-6  # columns this short or this parallel hold no rotation


def encode(start: HandPoses, target: HandPoses) -> np.ndarray:
    """Return the action that leads from start to target, shape (..., 20)."""
    relative = np.swapaxes(start.rotation, -1, -2) @ target.rotation
    return _join(target.position - start.position, relative, target.width)


def decode(start: HandPoses, action: np.ndarray) -> HandPoses:
    """Return where an action leads; leading axes of both broadcast.

    Args:
        start: poses the action is relative to, leading axes (...).
        action: shape (..., 20). Rotation columns that span no plane decode to NaN.
    """
    position, relative, width = _split(action)
    lead = np.broadcast_shapes(start.lead, width.shape[:-1])
    return HandPoses(
        start.position + position, start.rotation @ relative, np.broadcast_to(width, (*lead, 2))
    )


def integrate(start: HandPoses, actions: np.ndarray) -> HandPoses:
    """Follow a chain of actions.

    Args:
        start: leading axes (...).
        actions: shape (..., H, 20), each relative to the target before it.

    Returns:
        Targets with leading axes (..., H).
    """
    position, relative, width = _split(actions)
    count = relative.shape[-4]
    lead = np.broadcast_shapes(start.lead, width.shape[:-2])
    rotation = np.empty((*lead, count, 2, 3, 3))
    current = start.rotation
    for k in range(count):
        current = current @ relative[..., k, :, :, :]
        rotation[..., k, :, :, :] = current
    return HandPoses(
        start.position[..., None, :, :] + np.cumsum(position, axis=-3),
        rotation,
        np.broadcast_to(width, (*lead, count, 2)),
    )


def difference(start: HandPoses, targets: HandPoses) -> np.ndarray:
    """Return the chain of actions through targets: the inverse of `integrate`.

    Args:
        start: leading axes (...).
        targets: leading axes (..., H).

    Returns:
        Actions, shape (..., H, 20).
    """
    lead = targets.lead[:-1]
    previous = HandPoses(
        _shift(start.position, targets.position, lead, 2),
        _shift(start.rotation, targets.rotation, lead, 3),
        _shift(start.width, targets.width, lead, 1),
    )
    return encode(previous, targets)


def average(actions: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average actions (or packed poses) over the first axis, staying on the rotation group.

    Args:
        actions: shape (N, ..., 20).
        weights: shape (N, ...) or, one weight per component, (N, ..., 20); None for equal.

    Returns:
        Shape (..., 20), rotations re-orthonormalised.
    """
    if weights is None:
        mean = actions.mean(axis=0)
    else:
        per_component = weights if weights.ndim == actions.ndim else weights[..., None]
        total = per_component.sum(axis=0)
        mean = (actions * per_component).sum(axis=0) / total
    return _join(*_split(mean))


def pack(poses: HandPoses) -> np.ndarray:
    """Return absolute packed poses, shape (..., 20)."""
    return _join(poses.position, poses.rotation, poses.width)


def unpack(packed: np.ndarray) -> HandPoses:
    """Return the poses in absolute packed poses of shape (..., 20)."""
    return HandPoses(*_split(packed))


def mirror(action: np.ndarray) -> np.ndarray:
    """Return the action a mirrored robot would do: hands swapped, x reflected.

    Args:
        action: shape (..., 20), relative (for poses see `mirror_poses`).
    """
    position, relative, width = _split(action)
    return _join(
        (position @ MIRROR_BASE)[..., ::-1, :],
        (MIRROR_TOOL @ relative @ MIRROR_TOOL)[..., ::-1, :, :],
        width[..., ::-1],
    )


def mirror_poses(poses: HandPoses) -> HandPoses:
    """Return the poses of the mirrored robot: hands swapped, x reflected."""
    return HandPoses(
        (poses.position @ MIRROR_BASE)[..., ::-1, :],
        (MIRROR_BASE @ poses.rotation @ MIRROR_TOOL)[..., ::-1, :, :],
        poses.width[..., ::-1],
    )


def identity(width: np.ndarray) -> np.ndarray:
    """Return the action that stays in place, shape (..., 20), for widths (..., 2) in m."""
    width = np.asarray(width, dtype=np.float64)
    lead = width.shape[:-1]
    rotation = np.broadcast_to(np.eye(3), (*lead, 2, 3, 3))
    return _join(np.zeros((*lead, 2, 3)), rotation, width)


def orthonormalise(columns: np.ndarray) -> np.ndarray:
    """Turn two columns into the rotation they span, by Gram-Schmidt.

    Args:
        columns: shape (..., 6), first column then second.

    Returns:
        Shape (..., 3, 3); NaN where the columns are too short or too parallel to span a plane.
    """
    first, second = columns[..., :3], columns[..., 3:]
    x = _unit(first)
    y = _unit(_unit(second) - (x * _unit(second)).sum(-1, keepdims=True) * x)
    rotation = np.stack([x, y, np.cross(x, y)], axis=-1)
    rotation[np.isnan(rotation).any(axis=(-1, -2))] = np.nan  # never half a rotation
    return rotation


def _unit(vector: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(vector, axis=-1, keepdims=True)
    return vector / np.where(norm > DEGENERATE_NORM, norm, np.nan)


def _join(position: np.ndarray, rotation: np.ndarray, width: np.ndarray) -> np.ndarray:
    lead = np.broadcast_shapes(position.shape[:-2], rotation.shape[:-3], width.shape[:-1])
    hands = np.empty((*lead, 2, HAND_SIZE))
    hands[..., POSITION] = position
    hands[..., ROTATION] = np.concatenate([rotation[..., 0], rotation[..., 1]], axis=-1)
    hands[..., WIDTH] = width
    return hands.reshape(*lead, ACTION_SIZE)


def _split(action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return position (..., 2, 3), orthonormal rotation (..., 2, 3, 3) and width (..., 2)."""
    action = np.asarray(action, dtype=np.float64)
    if action.ndim == 0 or action.shape[-1] != ACTION_SIZE:
        raise ShapeError(f"action has shape {action.shape}, expected (..., {ACTION_SIZE})")
    hands = action.reshape(*action.shape[:-1], 2, HAND_SIZE)
    return hands[..., POSITION], orthonormalise(hands[..., ROTATION]), hands[..., WIDTH]


def _shift(
    start: np.ndarray, targets: np.ndarray, lead: tuple[int, ...], hand_axes: int
) -> np.ndarray:
    """Put start in front of the targets along H and drop the last target."""
    tail = start.shape[start.ndim - hand_axes :]
    axis = -1 - hand_axes
    first = np.broadcast_to(start, (*lead, *tail))
    kept = np.moveaxis(np.moveaxis(targets, axis, 0)[:-1], 0, axis)
    return np.concatenate([np.expand_dims(first, axis), kept], axis=axis)

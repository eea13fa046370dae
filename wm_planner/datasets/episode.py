"""An episode: everything that was seen, measured and commanded between one reset and the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from wm_planner.errors import DataError

KINDS = ("expert", "noisy", "recovery", "failure", "play", "stills", "near_miss", "planner")
"""How the actions came about. expert: the script as it is, or a person who demonstrates; noisy:
the script with bounded noise; recovery: a disturbance or mistake that is corrected; failure: a
mistake left as it is; play: random motion; stills: frames that have nothing to do with each other;
near_miss: the object is moved away before the hand gets there, and the hand goes on; planner: the
planner, then the expert."""

PLAY = "play"
"""Name of the task of an episode that has none."""

SIMULATED_JOINTS = tuple(
    f"{hand}_joint_{joint}" for hand in ("left", "right") for joint in range(1, 7)
)
"""Arm joints of the simulated rig, whose recorders need not name them."""

FEATURE_SIZES = {
    "gripper_width": 2,
    "hand_pose": 20,
    "hand_target": 20,
    "action": 20,
}
"""Per-frame vectors of an episode that are as long on every rig. Frozen: they are columns of files
on disk."""


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode of N frames, evenly spaced in time; arrays are copied and read-only.

    Row n holds what was measured at frame n and what was commanded from frame n to frame n + 1.

    Attributes:
        images: Camera name to (N, h, w, 3) uint8 RGB.
        joint_position: Of the D arm joints. Shape (N, D), [rad].
        joint_velocity: Shape (N, D), [rad/s].
        gripper_width: Measured opening, left and right. Shape (N, 2), [m].
        hand_pose: Measured tool poses, packed as in `wm_planner.actions.pack` (absolute, base
            frame). Shape (N, 20).
        hand_target: Poses and widths commanded for frame n + 1, packed the same way. Shape (N, 20).
        action: The 20-D action from `hand_pose[n]` to `hand_target[n]`. Shape (N, 20).
        step_good: Whether the action of this frame is part of good behaviour. Shape (N,), bool.
        object_position: Positions of the scene's objects, base frame. Zeros for an object that is
            not in the scene. Shape (N, M, 3), [m].
        object_visible: Whether the object is in the scene. Shape (N, M), bool.
        object_names: M names.
        task: Name of the task, as in `wm_planner.rigs.tasks`; "play" for none.
        instruction: What the robot was told, in words. Empty for play.
        success: Whether the task's test held at the end.
        kind: One of `KINDS`.
        seed: Fixes the scene and everything that happened in it; a number of its own for episodes
            that were not made from seeds.
        joint_names: D names.
    """

    images: Mapping[str, np.ndarray]
    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray
    hand_pose: np.ndarray
    hand_target: np.ndarray
    action: np.ndarray
    step_good: np.ndarray
    object_position: np.ndarray
    object_visible: np.ndarray
    object_names: tuple[str, ...]
    task: str
    instruction: str
    success: bool
    kind: str
    seed: int
    joint_names: tuple[str, ...] = SIMULATED_JOINTS

    def __post_init__(self) -> None:
        where = f"episode of task {self.task!r}, seed {self.seed}"
        if self.kind not in KINDS:
            raise DataError(f"{where}: kind is {self.kind!r}, known are {', '.join(KINDS)}")
        if not self.images:
            raise DataError(f"{where}: no camera images")
        length = len(self.hand_pose)
        if length == 0:
            raise DataError(f"{where}: no frames")
        set_field = object.__setattr__  # the dataclass is frozen
        set_field(self, "object_names", tuple(str(name) for name in self.object_names))
        objects = len(self.object_names)
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            name: ((length, size), np.float32) for name, size in FEATURE_SIZES.items()
        }
        for name in ("joint_position", "joint_velocity"):
            shapes[name] = ((length, len(self.joint_names)), np.float32)
        shapes["step_good"] = ((length,), np.bool_)
        shapes["object_position"] = ((length, objects, 3), np.float32)
        shapes["object_visible"] = ((length, objects), np.bool_)
        for name, (shape, dtype) in shapes.items():
            set_field(self, name, _checked(where, name, getattr(self, name), shape, dtype))
        images = {}
        for camera, frames in self.images.items():
            size = np.shape(frames)[1:3]
            if np.asarray(frames).dtype != np.uint8:
                raise DataError(f"{where}: images of {camera!r} are not uint8")
            images[camera] = _checked(
                where, f"images[{camera!r}]", frames, (length, *size, 3), np.uint8
            )
        set_field(self, "images", images)
        set_field(self, "success", bool(self.success))
        set_field(self, "seed", int(self.seed))

    def __len__(self) -> int:
        return len(self.hand_pose)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Episode:
        """Builds an episode from a mapping with the fields' names as keys, and no others."""
        names = {field.name for field in fields(cls)}
        mapping = {"joint_names": SIMULATED_JOINTS, **mapping}
        missing, unknown = sorted(names - set(mapping)), sorted(set(mapping) - names)
        if missing or unknown:
            raise DataError(f"recorded episode: missing fields {missing}, unknown fields {unknown}")
        return cls(**mapping)


def _checked(where: str, name: str, value: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A read-only copy of `value`, or an error that names the field, what came and what should."""
    array = np.array(value, dtype=dtype)
    if array.shape != shape:
        raise DataError(f"{where}: {name} has shape {array.shape}, expected {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{where}: {name} holds a value that is not finite")
    array.setflags(write=False)
    return array

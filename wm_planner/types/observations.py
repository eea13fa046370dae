"""What the planner sees and what it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from wm_planner.errors import DataError
from wm_planner.types.arrays import frozen_array, require_finite


@dataclass(frozen=True, eq=False)
class Observation:
    """One instant of the robot: images and measured joints, all taken at (nearly) the same time.

    Attributes:
        stamp_ns: when the images were taken, ROS clock.
        images: camera name to (h, w, 3) uint8 RGB.
        joint_position: shape (D,), rad, in the rig file's joint order.
        joint_velocity: shape (D,), rad/s.
        gripper_width: shape (2,), measured opening, m.
    """

    stamp_ns: int
    images: Mapping[str, np.ndarray]
    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and that the joints are finite, and freeze the arrays."""
        images = {
            camera: frozen_array(f"Observation.images[{camera!r}]", image, ("h", "w", 3), np.uint8)
            for camera, image in self.images.items()
        }
        object.__setattr__(self, "images", MappingProxyType(images))
        axes: dict[str, int] = {}
        _freeze(self, "joint_position", ("D",), axes)
        _freeze(self, "joint_velocity", ("D",), axes)
        _freeze(self, "gripper_width", (2,), axes)


@dataclass(frozen=True, eq=False)
class ObservationWindow:
    """The last T observations, oldest first, evenly spaced, with what was executed in between.

    Attributes:
        stamps_ns: shape (T,), increasing.
        images: camera name to (T, h, w, 3) uint8 RGB.
        joint_position: shape (T, D), rad.
        joint_velocity: shape (T, D), rad/s.
        gripper_width: shape (T, 2), m.
        actions: shape (T-1, 20), the 20-D actions really executed between the frames.
        dt: spacing of the frames, s.
    """

    stamps_ns: np.ndarray
    images: Mapping[str, np.ndarray]
    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray
    actions: np.ndarray
    dt: float

    def __post_init__(self) -> None:
        """Check shapes and even spacing, and freeze the arrays."""
        axes: dict[str, int] = {}
        stamps = frozen_array("ObservationWindow.stamps_ns", self.stamps_ns, ("T",), np.int64, axes)
        object.__setattr__(self, "stamps_ns", stamps)
        count = len(stamps)
        images = {
            camera: frozen_array(
                f"ObservationWindow.images[{camera!r}]", frames, (count, "h", "w", 3), np.uint8
            )
            for camera, frames in self.images.items()
        }
        object.__setattr__(self, "images", MappingProxyType(images))
        _freeze(self, "joint_position", ("T", "D"), axes)
        _freeze(self, "joint_velocity", ("T", "D"), axes)
        _freeze(self, "gripper_width", ("T", 2), axes)
        _freeze(self, "actions", (count - 1, 20), axes)
        # A quarter of a step is the most that a camera may be early or late: beyond it the model
        # would see motion that did not happen.
        uneven = np.abs(np.diff(stamps) * 1e-9 - self.dt) > 0.25 * self.dt
        if uneven.any():
            gaps = ", ".join(f"{gap * 1e-9:.3f}" for gap in np.diff(stamps))
            raise DataError(f"ObservationWindow frames are {gaps} s apart, expected {self.dt} s")

    @property
    def newest_stamp_ns(self) -> int:
        """Stamp of the newest frame, ns."""
        return int(self.stamps_ns[-1])

    @property
    def newest_joint_position(self) -> np.ndarray:
        """Newest measured joint positions, shape (D,), rad."""
        return self.joint_position[-1]

    @property
    def newest_gripper_width(self) -> np.ndarray:
        """Newest measured gripper openings, shape (2,), m."""
        return self.gripper_width[-1]


@dataclass(frozen=True, eq=False)
class Goal:
    """What to achieve: words, a picture of the result, both, or (None, None) for no goal.

    Attributes:
        instruction: a sentence, or None.
        image: what the model's camera shall see at the end, (h, w, 3) uint8 RGB, or None.
    """

    instruction: str | None = None
    image: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check and freeze the image."""
        if self.image is not None:
            image = frozen_array("Goal.image", self.image, ("h", "w", 3), np.uint8)
            object.__setattr__(self, "image", image)


def _freeze(value: object, name: str, shape: tuple[int | str, ...], axes: dict[str, int]) -> None:
    label = f"{type(value).__name__}.{name}"
    array = frozen_array(label, getattr(value, name), shape, np.float64, axes)
    require_finite(label, array)
    object.__setattr__(value, name, array)

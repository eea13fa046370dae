"""Lenses of the simulated cameras: pinhole and fisheye, and how a fisheye image is made.

A fisheye here is equidistant: a ray at angle theta from the optical axis lands theta * focal pixels
from the principal point. That is the Kannala-Brandt model (IEEE TPAMI 28(8), 2006, eq. 6) with
all distortion coefficients zero, which ROS calls "equidistant" and OpenCV ``cv2.fisheye``. MuJoCo
renders only pinhole views, so a wide one is rendered and resampled along the fisheye's rays.

Rays are in the optical frame of REP-103: x right, y down, z forward. Pixels count from the centre
of the top left one, as ROS and OpenCV do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wm_planner.errors import ConfigurationError
from wm_planner.settings import setting

#: Half angle that one rendered view can show; a plane through more gets too large and coarse.
WIDEST_RAD = math.radians(70)


@dataclass(frozen=True)
class LensSettings:
    """The lens of the head camera."""

    kind: str = setting(
        "pinhole", choices=("pinhole", "fisheye"), help="how the head camera maps angles to pixels"
    )
    # The widest at which the cube is still 8 px across in the model's 128 columns.
    view: float = setting(
        70.0, "deg", 30.0, 105.0, "what a fisheye sees between its left and right edge"
    )


@dataclass(frozen=True)
class Lens:
    """An ideal lens with square pixels and the principal point in the middle.

    Attributes:
        height, width: image size, px.
        focal: pixels per unit of tan(theta) (pinhole) or per rad (fisheye).
        fisheye: equidistant instead of pinhole.
    """

    height: int
    width: int
    focal: float
    fisheye: bool = False

    @staticmethod
    def pinhole(height: int, width: int, vertical_view: float) -> Lens:
        """The lens of a MuJoCo camera; vertical_view (``fovy``) in rad."""
        return Lens(height, width, height / 2 / math.tan(vertical_view / 2))

    @staticmethod
    def equidistant(height: int, width: int, horizontal_view: float) -> Lens:
        """A fisheye that sees horizontal_view rad from its left to its right edge."""
        return Lens(height, width, width / horizontal_view, fisheye=True)

    @property
    def centre(self) -> tuple[float, float]:
        """Principal point (x, y), px."""
        return (self.width - 1) / 2, (self.height - 1) / 2

    @property
    def distortion_model(self) -> str:
        """Name in sensor_msgs/CameraInfo."""
        return "equidistant" if self.fisheye else "plumb_bob"

    @property
    def distortion(self) -> tuple[float, ...]:
        """Coefficients that go with `distortion_model`: none, both are ideal."""
        return (0.0,) * (4 if self.fisheye else 5)

    @property
    def matrix(self) -> np.ndarray:
        """Camera matrix K, shape (3, 3), px."""
        x, y = self.centre
        return np.array([[self.focal, 0.0, x], [0.0, self.focal, y], [0.0, 0.0, 1.0]])

    def rays(self) -> np.ndarray:
        """Unit vector that each pixel looks along, optical frame, shape (height, width, 3)."""
        columns, rows = np.meshgrid(np.arange(self.width), np.arange(self.height))
        x, y = (columns - self.centre[0]) / self.focal, (rows - self.centre[1]) / self.focal
        radius = np.hypot(x, y)
        angle = radius if self.fisheye else np.arctan(radius)
        stretch = np.divide(np.sin(angle), radius, out=np.ones_like(radius), where=radius > 1e-12)
        return np.stack([x * stretch, y * stretch, np.cos(angle)], -1)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Where points are seen.

        Args:
            points: in the optical frame, in front of the camera, shape (..., 3), m.

        Returns:
            Pixel coordinates (x, y), shape (..., 2), px.
        """
        x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
        across = np.hypot(x, y)
        radius = np.arctan2(across, z) if self.fisheye else across / z
        scale = np.divide(radius, across, out=np.zeros_like(across), where=across > 1e-12)
        return np.stack([x * scale, y * scale], -1) * self.focal + self.centre


class FisheyeView:
    """Makes a fisheye image out of one wide pinhole image.

    Args:
        lens: the fisheye.
        largest: rows that can be rendered at most.

    Attributes:
        source: the pinhole image to render for `resample`.
    """

    def __init__(self, lens: Lens, largest: int = 480) -> None:
        rays = lens.rays()
        if float(rays[..., 2].min()) < math.cos(WIDEST_RAD):
            corner = math.degrees(math.acos(float(rays[..., 2].min())))
            raise ConfigurationError(
                f"fisheye: the image corners are {corner:.0f} degrees off the axis, at most "
                f"{math.degrees(WIDEST_RAD):.0f} can be rendered: choose a narrower view"
            )
        # The view has the image's aspect ratio and just contains every ray, and one pixel more:
        # the outermost rays pass through pixel centres. In the middle, where the wide view is
        # coarsest, it has at least the fisheye's resolution.
        reach = np.abs(rays[..., :2] / rays[..., 2:]).reshape(-1, 2).max(0)
        aspect = lens.width / lens.height
        half = max(reach[1], reach[0] / aspect)
        rows = min(math.ceil(2 * half * lens.focal) + 2, largest)
        half *= rows / (rows - 2)
        self.source = Lens(rows, math.ceil(rows * aspect), rows / 2 / half)
        self._map = self.source.project(rays).astype(np.float32)

    @property
    def vertical_view(self) -> float:
        """Vertical field of view of `source`, rad: MuJoCo's ``fovy``."""
        return 2 * math.atan(self.source.height / 2 / self.source.focal)

    def resample(self, image: np.ndarray) -> np.ndarray:
        """The fisheye image, (height, width, 3) uint8, from one of `source`'s size."""
        import cv2  # only where a fisheye is used: the rig must start without it

        return cv2.remap(image, self._map[..., 0], self._map[..., 1], cv2.INTER_LINEAR)

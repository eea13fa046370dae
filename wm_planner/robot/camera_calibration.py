"""Where a camera is and how it maps rays to pixels, as the rig file says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from wm_planner.robot.strict_yaml import Section

#: Distortion models by their names in sensor_msgs/CameraInfo, and how many coefficients each has.
DISTORTION_MODELS = {"none": 0, "plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
NEAREST_M = 0.02  # in front of the lens; what is nearer or behind has no image


@dataclass(frozen=True)
class CameraCalibration:
    """One camera's intrinsics and pose.

    Attributes:
        height, width: of the image that the numbers belong to, px.
        focal: fx, fy, px.
        centre: cx, cy, px, counted from the centre of the top left pixel.
        distortion_model: one of `DISTORTION_MODELS`.
        distortion: its coefficients in CameraInfo's order.
        position: of the optical frame's origin in the base frame, m.
        orientation: of the optical frame (x right, y down, z forward; REP-103) in the base frame,
            unit quaternion x, y, z, w.
    """

    height: int
    width: int
    focal: tuple[float, ...]
    centre: tuple[float, ...]
    distortion_model: str
    distortion: tuple[float, ...]
    position: tuple[float, ...]
    orientation: tuple[float, ...]

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points.

        Args:
            points: Shape (..., 3), base frame, m.

        Returns:
            Pixels (x, y) of shape (..., 2), NaN where there is no image; and depths (...), m.
        """
        rotation = Rotation.from_quat(self.orientation).as_matrix()
        seen = (np.asarray(points, float) - self.position) @ rotation  # into the optical frame
        return self.pixels(seen), seen[..., 2]

    def pixels(self, seen: np.ndarray) -> np.ndarray:
        """Project points of the optical frame.

        Args:
            seen: Shape (..., 3), optical frame, m.

        Returns:
            Pixels (x, y), shape (..., 2), NaN where there is no image.
        """
        import cv2  # only where it is needed: importing the package must stay light

        depth = seen[..., 2]
        flat = np.where(depth[..., None] > NEAREST_M, seen, [0.0, 0.0, 1.0]).reshape(-1, 1, 3)
        matrix = self._matrix()
        zero = np.zeros(3)
        if self.distortion_model == "equidistant":
            pixels, _ = cv2.fisheye.projectPoints(
                flat, zero, zero, matrix, np.array(self.distortion)
            )
        else:
            pixels, _ = cv2.projectPoints(
                flat, zero, zero, matrix, np.array(self.distortion or [0.0] * 4)
            )
        pixels = pixels.reshape(*depth.shape, 2)
        return np.where(depth[..., None] > NEAREST_M, pixels, np.nan)

    def rays(self) -> np.ndarray:
        """Return where all pixels look, (height, width, 3), optical frame, at depth 1."""
        import cv2

        columns, rows = np.meshgrid(np.arange(self.width), np.arange(self.height))
        pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(float)
        matrix = self._matrix()
        if self.distortion_model == "equidistant":
            flat = cv2.fisheye.undistortPoints(pixels, matrix, np.array(self.distortion))
        else:
            flat = cv2.undistortPoints(pixels, matrix, np.array(self.distortion or [0.0] * 4))
        rays = np.ones((self.height, self.width, 3))
        rays[..., :2] = flat.reshape(self.height, self.width, 2)
        return rays

    def _matrix(self) -> np.ndarray:
        matrix = np.diag([*self.focal, 1.0])
        matrix[:2, 2] = self.centre
        return matrix

    def resized(self, height: int, width: int) -> CameraCalibration:
        """Return the calibration of the same image at another size."""
        scale = np.array([width / self.width, height / self.height])
        centre = (np.array(self.centre) + 0.5) * scale - 0.5
        focal = np.array(self.focal) * scale
        return replace(self, height=height, width=width, focal=tuple(focal), centre=tuple(centre))


def read_calibration(camera: Section, height: int, width: int) -> CameraCalibration:
    """Read `cameras.<name>.calibration` of a rig file."""
    keys = ("distortion_model", "distortion", "focal", "centre", "position", "orientation")
    section = camera.section("calibration", keys)
    model = section.text("distortion_model", default="none")
    if model not in DISTORTION_MODELS:
        raise section.error("distortion_model", model, f"one of {', '.join(DISTORTION_MODELS)}")
    count = DISTORTION_MODELS[model]
    orientation = section.numbers("orientation", 4, "a unit quaternion x, y, z, w")
    if abs(np.linalg.norm(orientation) - 1.0) > 1e-3:
        raise section.error("orientation", list(orientation), "a quaternion of length 1")
    return CameraCalibration(
        height=height,
        width=width,
        focal=section.numbers("focal", 2, "px"),
        centre=section.numbers("centre", 2, "px"),
        distortion_model=model,
        distortion=section.numbers("distortion", count, f"of {model}") if count else (),
        position=section.numbers("position", 3, "m"),
        orientation=orientation,
    )

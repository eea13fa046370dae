"""Finds how a camera has turned and how the light has changed since a picture was taken.

What moves and what is new is left out of account, as in robust image alignment: the picture's own
gradients say how it changes when the camera turns (inverse compositional, Baker and Matthews 2004),
and pixels that disagree lose their weight (Tukey's biweight). The light is a smooth field of
factors: lamps, and shadows of what is out of view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from wm_planner.robot.camera_calibration import CameraCalibration

ROWS = 48  # that is looked at; a turn is found to about a tenth of a degree with them
BLUR = 1.0  # px, of what is looked at
SPREAD = 10.0  # px, standard deviation of the light's field
DARK = 10.0  # of 255, added before the logarithm: dark pixels are noisy
#: Differences of logarithms that have no weight: at first, when the light is not known, and then.
COARSE, FINE = 0.5, 0.12
COARSE_STEPS, STEPS = 6, 14
SETTLED_RAD = 2e-4
START_RAD = 0.045  # between starts: the image may repeat itself
AROUND = (0, -1, 1, -2, 2)  # starts across and down
FIRST_STEPS, FINALISTS = 3, 3  # of every start, and how many of them go on
AGREED = 0.5  # enough to look no further
FEWEST = 100  # pixels with a weight
STRUCTURE = 3.0  # px, standard deviation of what is taken off to see fine structure


@dataclass(frozen=True, eq=False)
class ViewChange:
    """How a frame differs from the picture.

    Attributes:
        turn: of directions, rotation vector (3,), rad, optical frame: from where something was to
            where it is.
        light: logarithm of the factors that bring the frame's light to the picture's,
            shape (rows, columns, 3).
        agreement: correlation of fine structure where the two then look alike, -1 to 1.
    """

    turn: np.ndarray
    light: np.ndarray
    agreement: float

    @property
    def turn_rad(self) -> float:
        """Angle of the turn, rad."""
        return float(np.linalg.norm(self.turn))

    @property
    def brightness(self) -> float:
        """Of the frame, as a share of the picture's."""
        return float(np.exp(-self.light.mean()))


class ViewFit:
    """Compares frames with one picture.

    Args:
        picture: (h, w, 3) uint8 RGB, what the camera saw.
        calibration: of the camera, for any size of its image.
    """

    def __init__(self, picture: np.ndarray, calibration: CameraCalibration) -> None:
        self._camera = calibration.resized(
            ROWS, round(ROWS * calibration.width / calibration.height)
        )
        self._rays = self._camera.rays()
        self._picture = self._logarithm(picture)
        self._slopes = self._turning_slopes()
        self._starts = START_RAD * np.array([(a, b, 0) for a in AROUND for b in AROUND], float)

    def change(self, frame: np.ndarray) -> ViewChange:
        """Return how a frame (h, w, 3) uint8 RGB of any size differs from the picture."""
        logarithm = self._logarithm(frame)
        usual = self._fit(logarithm, self._starts[0])
        if usual.agreement > AGREED:
            return usual
        first = [self._fit(logarithm, start, FIRST_STEPS) for start in self._starts]
        best = sorted(first, key=lambda found: found.agreement)[-FINALISTS:]
        found = [usual, *(self._fit(logarithm, change.turn) for change in best)]
        return max(found, key=lambda found: found.agreement)

    def _logarithm(self, frame: np.ndarray) -> np.ndarray:
        import cv2

        size = (self._camera.width, self._camera.height)
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return np.log(cv2.GaussianBlur(small, (0, 0), BLUR) + DARK)

    def _turning_slopes(self) -> np.ndarray:
        """How the picture changes by a turn about each axis, (pixels, 3 colours, 3 axes), 1/rad."""
        import cv2

        step, slopes = 1e-4, []
        across = cv2.Sobel(self._picture, cv2.CV_32F, 1, 0, scale=1 / 8)
        down = cv2.Sobel(self._picture, cv2.CV_32F, 0, 1, scale=1 / 8)
        for axis in np.eye(3):
            there = self._camera.pixels(turned(self._rays, step * axis))
            back = self._camera.pixels(turned(self._rays, -step * axis))
            moved = np.nan_to_num((there - back) / (2 * step))
            slopes.append(across * moved[..., :1] + down * moved[..., 1:])
        return np.stack(slopes, axis=-1).reshape(-1, 3, 3)

    def _fit(self, frame: np.ndarray, start: np.ndarray, steps: int = STEPS) -> ViewChange:
        import cv2

        turn, light = Rotation.from_rotvec(start), None
        for step in range(steps):
            seen, inside = self._turned_back(frame, turn.as_rotvec())
            difference = self._picture - seen
            if light is None:
                light = np.broadcast_to(np.median(difference[inside], axis=0), difference.shape)
            tolerance = FINE + (COARSE - FINE) * max(0.0, 1 - step / COARSE_STEPS)
            wrong = light - difference
            share = np.abs(wrong).max(axis=-1) / tolerance
            weight = np.where(inside, np.clip(1 - share**2, 0, None) ** 2, 0).astype(np.float32)
            used = weight.reshape(-1) > 0
            if used.sum() < FEWEST:
                return ViewChange(turn.as_rotvec(), np.asarray(light), 0.0)
            slopes = self._slopes[used].reshape(-1, 3)
            weighted = slopes * np.repeat(weight.reshape(-1)[used], 3)[:, None]
            normal = weighted.T @ slopes + 1e-4 * np.eye(3)
            change = np.linalg.solve(normal, weighted.T @ wrong.reshape(-1, 3)[used].reshape(-1))
            turn = turn * Rotation.from_rotvec(-change)
            told = difference * weight[..., None]
            near = cv2.GaussianBlur(weight, (0, 0), SPREAD)[..., None]
            mean = told.sum(axis=(0, 1)) / weight.sum()
            # Where nothing near has a weight, as all over the image.
            light = (cv2.GaussianBlur(told, (0, 0), SPREAD) + 0.02 * mean) / (near + 0.02)
            if step > COARSE_STEPS and np.linalg.norm(change) < SETTLED_RAD:
                break
        agreement = self._agreement(seen, weight, inside)
        return ViewChange(turn.as_rotvec(), np.asarray(light), agreement)

    def _agreement(self, seen: np.ndarray, weight: np.ndarray, inside: np.ndarray) -> float:
        """Correlation of what smooth light cannot explain; wrong turns agree by chance at most."""
        import cv2

        whole = np.where(inside[..., None], seen, self._picture)
        known, now = (x - cv2.GaussianBlur(x, (0, 0), STRUCTURE) for x in (self._picture, whole))
        reach = np.ones((2 * int(STRUCTURE) + 1,) * 2, np.uint8)
        told = (weight * cv2.erode(inside.astype(np.uint8), reach))[..., None]
        spread = np.sqrt(float((told * known**2).sum()) * float((told * now**2).sum()))
        return float((told * known * now).sum()) / (spread + 1e-9)

    def _turned_back(self, frame: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A frame as it would have been without the turn, and where it shows that."""
        import cv2

        there = self._camera.pixels(turned(self._rays, turn)).astype(np.float32)
        seen = cv2.remap(
            *(frame, there[..., 0], there[..., 1], cv2.INTER_LINEAR),
            borderMode=cv2.BORDER_CONSTANT, borderValue=(-1.0, -1.0, -1.0),
        )  # fmt: skip
        size = np.array([self._camera.width - 1, self._camera.height - 1])
        return seen, np.all((there >= 0) & (there <= size), axis=-1)


def turned(rays: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Return directions (..., 3) after a turn, a rotation vector (3,), rad."""
    return rays @ Rotation.from_rotvec(turn).as_matrix().T

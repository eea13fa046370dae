"""Frames as the models know the view: as if camera and light had not changed since training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner import images
from wm_planner.errors import ConfigurationError
from wm_planner.observing.view_fit import DARK, ViewChange, ViewFit, turned
from wm_planner.robot.rig_description import CameraDescription, RigDescription
from wm_planner.settings import setting


@dataclass(frozen=True)
class ViewSettings:
    """When frames are brought to the view that the models know."""

    correct: bool = setting(
        True, help="whether to, where the rig file has a view of the camera (wm-planner view)"
    )
    least_turn: float = setting(
        0.005, "rad", 0.0, 0.2, "a camera that has turned by less is taken not to have"
    )
    largest_turn: float = setting(0.09, "rad", 0.0, 0.2, "a larger turn is not believed")
    least_light: float = setting(
        0.05, "", 0.0, 1.0, "a mean change of the light by less than this share is none"
    )
    largest_light: float = setting(
        0.6, "", 0.05, 1.0, "a larger change is not believed: the lens may be covered"
    )
    least_agreement: float = setting(
        0.35, "", 0.0, 1.0, "correlation with the reference's fine structure afterwards"
    )


class KnownView:
    """Undoes what a knocked camera or another lamp changed. Every frame is judged by itself.

    Args:
        settings: what is believed.
        camera: its name.
        description: of it, with a view and a calibration.

    Raises:
        ConfigurationError: the view is no picture.
        ShapeError: it has another aspect ratio than the camera.

    Attributes:
        settings: may be replaced between two frames.
        camera: its name.
        newest: how the frame that was seen last differs; None before there was one.
        recognized: whether it could be told.
    """

    def __init__(self, settings: ViewSettings, camera: str, description: CameraDescription) -> None:
        import cv2

        calibration = description.calibration
        assert calibration is not None  # rig files with a view have one
        picture = cv2.imread(str(description.view))
        if picture is None:
            raise ConfigurationError(
                f"cameras.{camera}.view: got {description.view}, expected a picture"
            )
        self.newest: ViewChange | None = None
        self.recognized = True
        self.camera = camera
        self.settings, self._calibration = settings, calibration
        self._picture = images.fit(
            np.ascontiguousarray(picture[..., ::-1]), calibration.height, calibration.width
        )
        self._rays = calibration.rays()
        self._fit = ViewFit(self._picture, calibration)

    def corrected(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame (h, w, 3) uint8 RGB as it would look in the known view.

        It is returned as it came where nothing has changed, where it cannot be told what has, and
        where nobody wants it corrected.
        Where the known view shows what the camera no longer does, the reference is seen.
        """
        import cv2

        s = self.settings
        if not s.correct:
            self.newest, self.recognized = None, True
            return frame
        self.newest = change = self._fit.change(frame)
        self.recognized = (
            change.agreement >= s.least_agreement
            and change.turn_rad <= s.largest_turn
            and abs(change.brightness - 1) <= s.largest_light
        )
        if not self.recognized:
            return frame
        has_turned = change.turn_rad >= s.least_turn
        has_other_light = abs(change.brightness - 1) >= s.least_light
        if not has_turned and not has_other_light:
            return frame
        calibration = self._calibration
        seen = images.fit(frame, calibration.height, calibration.width)
        light = cv2.resize(change.light, (calibration.width, calibration.height))
        if has_turned:
            there = calibration.pixels(turned(self._rays, change.turn)).astype(np.float32)
            # Undone below, so that what is filled in has the reference's light.
            darker = _brightened(self._picture, -light)
            seen = cv2.remap(
                *(seen, there[..., 0], there[..., 1], cv2.INTER_LINEAR, darker),
                borderMode=cv2.BORDER_TRANSPARENT,
            )
        return _brightened(seen, light) if has_other_light else seen

    @property
    def measured(self) -> str:
        """What was found on the newest frame, in numbers."""
        if self.newest is None:
            return "no frame yet"
        return (
            f"turned by {np.degrees(self.newest.turn_rad):.2f} degrees, "
            f"brightness {self.newest.brightness:.0%}, agreement {self.newest.agreement:.2f}"
        )

    def __str__(self) -> str:
        """Return what has changed, "" where nothing has."""
        if self.newest is None:
            return ""
        if not self.recognized:
            return f"the view is not the models' ({self.measured}); frames are taken as they come"
        said = []
        if self.newest.turn_rad >= self.settings.least_turn:
            said.append(f"the camera has turned by {np.degrees(self.newest.turn_rad):.1f} degrees")
        if abs(self.newest.brightness - 1) >= self.settings.least_light:
            said.append(f"the light is {self.newest.brightness:.0%} of what the models know")
        return ", ".join(said) + "; frames are corrected" if said else ""


def open_view(settings: ViewSettings, rig: RigDescription, camera: str) -> KnownView | None:
    """Return the view to bring frames to; None where the rig file has none.

    Args:
        settings: what is believed, and whether frames are to be corrected at all.
        rig: the robot, with its cameras.
        camera: the one that the world model looks through.
    """
    description = rig.cameras[camera]
    return None if description.view is None else KnownView(settings, camera, description)


def _brightened(picture: np.ndarray, light: np.ndarray) -> np.ndarray:
    changed = (picture + np.float32(DARK)) * np.exp(light) - np.float32(DARK)
    return np.clip(np.round(changed), 0, 255).astype(np.uint8)

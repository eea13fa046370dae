"""Which camera frames are fit to plan on: everything else is dropped and counted by reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from wm_planner.robot.rig_description import CameraDescription
from wm_planner.settings import setting


@dataclass(frozen=True)
class FrameSettings:
    """What the camera node accepts."""

    compressed: bool = setting(
        False, help="subscribe to sensor_msgs/CompressedImage on <topic>/compressed"
    )
    info_timeout: float = setting(
        5.0, "s", 0.0, 60.0, "longest wait for CameraInfo at configure; 0: not asked for"
    )
    future_tolerance: float = setting(
        0.05, "s", 0.0, 1.0, "a stamp further ahead of the clock is wrong"
    )
    maximum_age: float = setting(1.0, "s", 0.01, 10.0, "an older frame is of no use any more")


class FrameChecks:
    """Judges the frames of one camera in the order in which they come.

    Args:
        camera: what the rig file says about it.
        settings: tolerances.
    """

    def __init__(self, camera: CameraDescription, settings: FrameSettings) -> None:
        self.accepted = 0
        self.dropped: Counter[str] = Counter()
        self._camera, self._settings = camera, settings
        self._newest_ns = 0

    def problem(self, stamp_ns: int, now_ns: int, height: int, width: int) -> str:
        """Return why a frame is dropped, "" when it is accepted; counts either way.

        Args:
            stamp_ns: of the frame, ROS clock.
            now_ns: ROS clock.
            height: of the frame, px.
            width: of the frame, px.
        """
        reason = self._judge(stamp_ns, now_ns, height, width)
        if reason:
            self.dropped[reason] += 1
        else:
            self.accepted += 1
            self._newest_ns = stamp_ns
        return reason

    def count(self, reason: str) -> None:
        """Count a frame that could not even be decoded."""
        self.dropped[reason] += 1

    def _judge(self, stamp_ns: int, now_ns: int, height: int, width: int) -> str:
        if (height, width) != (self._camera.height, self._camera.width):
            return "WRONG_SIZE"
        if stamp_ns == 0:
            return "STAMP_ZERO"
        if stamp_ns > now_ns + self._settings.future_tolerance * 1e9:
            return "STAMP_IN_FUTURE"
        if now_ns < self._newest_ns - self._settings.maximum_age * 1e9:
            self._newest_ns = 0  # the clock itself was set back: start over
        if stamp_ns <= self._newest_ns:
            return "STAMP_NOT_NEWER"
        if now_ns - stamp_ns > self._settings.maximum_age * 1e9:
            return "TOO_OLD"
        return ""

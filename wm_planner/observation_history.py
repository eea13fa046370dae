"""The recent past, as the world model wants to see it: evenly spaced frames and what was done."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.observing.known_view import KnownView
from wm_planner.types import HandPoses, Observation, ObservationWindow

TOLERANCE = 0.25  # of dt: how far a frame may be from where the window wants one


@dataclass(frozen=True, eq=False)
class _Entry:
    observation: Observation
    measured: HandPoses
    commanded: HandPoses


class ObservationHistory:
    """Keeps what is needed for one window; observations may come faster than the model's dt.

    Attributes:
        dropped: observations that did not come after the one before.
    """

    def __init__(self, dt: float, frames: int, view: KnownView | None = None) -> None:
        """Start empty.

        Args:
            dt: spacing of the window's frames, s.
            frames: T, at least 1.
            view: what windows bring its camera's frames to; None to leave them as they are.
        """
        self.dt, self.frames, self.dropped = dt, frames, 0
        self._view, self._corrected = view, dict[int, np.ndarray]()
        self._entries: deque[_Entry] = deque()
        self._first_ns = 0

    def add(
        self, observation: Observation, measured: HandPoses, commanded: HandPoses | None = None
    ) -> bool:
        """Take one observation, and return whether it was newer than the last.

        Args:
            observation: newest images and joints.
            measured: hands at that time, no leading axes.
            commanded: where the hands were told to be at that time; None when nobody moved them.
        """
        if self._entries and observation.stamp_ns <= self._entries[-1].observation.stamp_ns:
            self.dropped += 1
            return False
        if not self._entries:
            self._first_ns = observation.stamp_ns
        self._entries.append(_Entry(observation, measured, commanded or measured))
        oldest = observation.stamp_ns - round((self.frames - 1 + TOLERANCE) * self.dt * 1e9)
        while self._entries[0].observation.stamp_ns < oldest:
            self._entries.popleft()
        return True

    def clear(self) -> None:
        """Forget everything, as after a reset of the clock or of the robot."""
        self._entries.clear()
        self._corrected.clear()

    def window(self) -> ObservationWindow | None:
        """Return the newest T frames, or None while some of them are missing.

        Before the first observation the robot is taken to have stood still: its frame is repeated.
        A gap later on is a gap.
        """
        if not self._entries:
            return None
        newest_ns = self._entries[-1].observation.stamp_ns
        wanted = newest_ns - np.arange(self.frames)[::-1] * round(self.dt * 1e9)
        chosen = [self._nearest(int(stamp)) for stamp in wanted]
        found = [entry for entry in chosen if entry is not None]
        if len(found) < self.frames:
            return None
        stamps = [
            int(stamp) if self._is_before_start(int(stamp)) else entry.observation.stamp_ns
            for stamp, entry in zip(wanted, found, strict=True)
        ]
        seen = [entry.observation for entry in found]
        return ObservationWindow(
            stamps_ns=np.array(stamps),
            images={
                camera: np.stack([self._image(observation, camera) for observation in seen])
                for camera in seen[-1].images
                if all(camera in observation.images for observation in seen)
            },
            joint_position=np.stack([observation.joint_position for observation in seen]),
            joint_velocity=np.stack([observation.joint_velocity for observation in seen]),
            gripper_width=np.stack([observation.gripper_width for observation in seen]),
            actions=np.reshape([_action(*pair) for pair in itertools.pairwise(found)], (-1, 20)),
            dt=self.dt,
        )

    def _image(self, observation: Observation, camera: str) -> np.ndarray:
        """One frame, in the known view; only what windows show is worth the effort, and once."""
        image, stamp_ns = observation.images[camera], observation.stamp_ns
        if self._view is None or camera != self._view.camera:
            return image
        if stamp_ns not in self._corrected:
            oldest_ns = self._entries[0].observation.stamp_ns
            self._corrected = {s: i for s, i in self._corrected.items() if s >= oldest_ns}
            self._corrected[stamp_ns] = self._view.corrected(image)
        return self._corrected[stamp_ns]

    def _is_before_start(self, stamp_ns: int) -> bool:
        return stamp_ns < self._first_ns - TOLERANCE * self.dt * 1e9

    def _nearest(self, stamp_ns: int) -> _Entry | None:
        if self._is_before_start(stamp_ns):
            return self._entries[0]
        entry = min(self._entries, key=lambda e: abs(e.observation.stamp_ns - stamp_ns))
        late = abs(entry.observation.stamp_ns - stamp_ns)
        # Half the tolerance, since both ends of a step may be off.
        return entry if late <= TOLERANCE / 2 * self.dt * 1e9 else None


def _action(before: _Entry, after: _Entry) -> np.ndarray:
    if before is after:
        return actions.identity(before.measured.width)
    return actions.encode(before.measured, after.commanded)

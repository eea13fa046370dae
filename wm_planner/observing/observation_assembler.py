"""Joins frames, joint states and sent commands, which arrive apart, into observation windows."""

from __future__ import annotations

import threading
from collections import Counter, deque

import numpy as np

from wm_planner.observation_history import ObservationHistory
from wm_planner.observing.joint_history import JointHistory, JointSample
from wm_planner.observing.known_view import KnownView
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import Command, Observation, ObservationWindow

COMMANDS_KEPT = 100
FRAMES_WAITING = 8
RESET_NS = 1_000_000_000  # further back than this, the clock was set


class ObservationAssembler:
    """Callbacks put in what arrives; the planner's worker takes windows out. Every method locks.

    A frame waits for the first joints that were measured no earlier than it was taken. So what is
    observed depends on stamps alone, not on which message was faster, and a recorded run can be
    replayed to the last bit.

    Args:
        robot: kinematics for the hands' poses.
        camera: the one that the world model looks through.
        dt: spacing of a window's frames, s.
        frames: T.
        view: what windows bring frames to; None to leave them as they are.
    """

    def __init__(
        self,
        robot: RobotModel,
        camera: str,
        dt: float,
        frames: int,
        view: KnownView | None = None,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._robot, self._camera = robot, camera
        self._lock = threading.Lock()
        self._joints = JointHistory()
        self._commands: deque[Command] = deque(maxlen=COMMANDS_KEPT)
        self._history = ObservationHistory(dt, frames, view)
        self._waiting: deque[tuple[int, np.ndarray]] = deque()
        self._newest_ns = 0

    def add_joints(self, sample: JointSample) -> bool:
        """Take measured joints; returns whether a frame that waited has become an observation."""
        with self._lock:
            if not self._joints.add(sample):
                self.dropped["JOINTS_NOT_NEWER"] += 1
            return self._join()

    def add_command(self, command: Command) -> None:
        """Take what the executor has really sent."""
        with self._lock:
            self._commands.append(command)

    def add_frame(self, stamp_ns: int, image: np.ndarray) -> bool:
        """Take a frame (h, w, 3) uint8 RGB; returns whether there is a new observation already."""
        with self._lock:
            if self._joints.newest is None:
                self.dropped["NO_JOINTS_AT_FRAME"] += 1
                return False
            self._waiting.append((stamp_ns, image))
            if len(self._waiting) > FRAMES_WAITING:
                self._waiting.popleft()
                self.dropped["NO_JOINTS_AT_FRAME"] += 1
            return self._join()

    def window(self) -> ObservationWindow | None:
        """Return the newest window, None while frames are missing."""
        with self._lock:
            return self._history.window()

    def _join(self) -> bool:
        """Make observations of all frames whose joints have come; whether there was one."""
        newest, seen = self._joints.newest, False
        while newest is not None and self._waiting:
            stamp_ns = self._waiting[0][0]
            if newest.stamp_ns < stamp_ns <= newest.stamp_ns + RESET_NS:
                break
            frame = self._waiting.popleft()
            if stamp_ns <= newest.stamp_ns:
                seen = self._observe(*frame) or seen
            else:  # from before the clock was set back
                self.dropped["NO_JOINTS_AT_FRAME"] += 1
        return seen

    def _observe(self, stamp_ns: int, image: np.ndarray) -> bool:
        joints = self._joints.at(stamp_ns)
        if joints is None:
            self.dropped["NO_JOINTS_AT_FRAME"] += 1
            return False
        if stamp_ns < self._newest_ns - RESET_NS:
            self._history.clear()  # the clock was set back
        self._newest_ns = stamp_ns
        observation = Observation(
            stamp_ns, {self._camera: image}, joints.position, joints.velocity, joints.width
        )
        measured = self._robot.hand_poses(joints.position, joints.width)
        sent = self._commanded(stamp_ns)
        commanded = None
        if sent is not None:
            commanded = self._robot.hand_poses(sent.joint_position, sent.gripper_width)
        if not self._history.add(observation, measured, commanded):
            self.dropped["FRAME_NOT_NEWER"] += 1
            return False
        return True

    def _commanded(self, stamp_ns: int) -> Command | None:
        """The command that was in force at a time: the last one due by then."""
        due = [command for command in self._commands if command.stamp_ns <= stamp_ns]
        return due[-1] if due else None

"""Joins frames, joint states and sent commands, which arrive apart, into observation windows."""

from __future__ import annotations

import threading
from collections import Counter, deque

import numpy as np

from wm_planner.observation_history import ObservationHistory
from wm_planner.observing.joint_history import JointHistory, JointSample
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import Command, Observation, ObservationWindow

COMMANDS_KEPT = 100


class ObservationAssembler:
    """Callbacks put in what arrives; the planner's worker takes windows out. Every method locks.

    Args:
        robot: kinematics for the hands' poses.
        camera: the one that the world model looks through.
        dt: spacing of a window's frames, s.
        frames: T.
    """

    def __init__(self, robot: RobotModel, camera: str, dt: float, frames: int) -> None:
        self.dropped: Counter[str] = Counter()
        self._robot, self._camera = robot, camera
        self._lock = threading.Lock()
        self._joints = JointHistory()
        self._commands: deque[Command] = deque(maxlen=COMMANDS_KEPT)
        self._history = ObservationHistory(dt, frames)
        self._newest_ns = 0

    def add_joints(self, sample: JointSample) -> None:
        """Take measured joints."""
        with self._lock:
            if not self._joints.add(sample):
                self.dropped["JOINTS_NOT_NEWER"] += 1

    def add_command(self, command: Command) -> None:
        """Take what the executor has really sent."""
        with self._lock:
            self._commands.append(command)

    def add_frame(self, stamp_ns: int, image: np.ndarray) -> bool:
        """Take a frame (h, w, 3) uint8 RGB; False where it cannot become an observation."""
        with self._lock:
            joints = self._joints.at(stamp_ns)
            if joints is None:
                self.dropped["NO_JOINTS_AT_FRAME"] += 1
                return False
            if stamp_ns < self._newest_ns - 1_000_000_000:
                self._history.clear()  # the clock was set back
            self._newest_ns = stamp_ns
            observation = Observation(
                stamp_ns, {self._camera: image}, joints.position, joints.velocity, joints.width
            )
            measured = self._robot.hand_poses(joints.position, joints.width)
            sent = self._commanded(stamp_ns)
            commanded = (
                None
                if sent is None
                else self._robot.hand_poses(sent.joint_position, sent.gripper_width)
            )
            if not self._history.add(observation, measured, commanded):
                self.dropped["FRAME_NOT_NEWER"] += 1
                return False
            return True

    def window(self) -> ObservationWindow | None:
        """Return the newest window, None while frames are missing."""
        with self._lock:
            return self._history.window()

    def newest_joints(self) -> JointSample | None:
        """Return the newest measured joints."""
        with self._lock:
            return self._joints.newest

    def _commanded(self, stamp_ns: int) -> Command | None:
        """The command that was in force at a time: the last one due by then."""
        due = [command for command in self._commands if command.stamp_ns <= stamp_ns]
        return due[-1] if due else None

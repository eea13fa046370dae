"""The trajectory controllers of a whole rig: one for each arm and one for each gripper."""

from __future__ import annotations

import threading

import numpy as np

from wm_planner.rigs.joint_trajectory_controller import (
    JointTrajectory,
    JointTrajectoryController,
    TrajectoryRejectedError,
)
from wm_planner.robot.rig_description import RigDescription

#: Fingers are light; this stops them within a few ms.
FINGER_STOP_ACCELERATION = 5.0  # m/s^2


class RigControllers:
    """Takes trajectories by topic and answers where all joints shall be at a time.

    Messages arrive in one thread while physics samples in another: every method locks.

    Args:
        rig: names, topics and limits.
        joint_position: where the arms are, shape (D,), rad.
        gripper_width: how far the grippers are open, shape (2,), m.
    """

    def __init__(
        self, rig: RigDescription, joint_position: np.ndarray, gripper_width: np.ndarray
    ) -> None:
        self.emergency_stop = False
        self._lock = threading.Lock()
        self._rig = rig
        self._arms: dict[str, JointTrajectoryController] = {}
        self._grippers: dict[str, JointTrajectoryController] = {}
        first = 0
        for hand, width in zip(rig.hands, gripper_width, strict=True):
            last = first + len(hand.joint_names)
            self._arms[hand.arm_topic] = JointTrajectoryController(
                hand.message_names, joint_position[first:last], rig.limits.acceleration
            )
            self._grippers[hand.gripper_topic] = JointTrajectoryController(
                hand.gripper.message.joint_names,
                hand.gripper.message.joint_position(width),
                FINGER_STOP_ACCELERATION,
            )
            first = last

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that trajectories may come on."""
        return (*self._arms, *self._grippers)

    def update(self, topic: str, trajectory: JointTrajectory, now_ns: int) -> None:
        """Follow a new trajectory.

        Raises:
            TrajectoryRejectedError: by the controller, or because of the emergency stop.
        """
        with self._lock:
            if self.emergency_stop:
                raise TrajectoryRejectedError("emergency stop: no trajectory is taken")
            {**self._arms, **self._grippers}[topic].update(trajectory, now_ns)

    def set_emergency_stop(self, pressed: bool, now_ns: int) -> None:
        """Brake and refuse everything while pressed. Releasing moves nothing."""
        with self._lock:
            if pressed and not self.emergency_stop:
                for controller in (*self._arms.values(), *self._grippers.values()):
                    controller.hold(now_ns)
            self.emergency_stop = pressed

    def reference(self, time_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Desired joint positions, shape (D,), rad, and gripper widths, shape (2,), m."""
        with self._lock:
            arms = np.concatenate([arm.sample(time_ns)[0] for arm in self._arms.values()])
            widths = [
                float(
                    hand.gripper.message.width(
                        self._grippers[hand.gripper_topic].sample(time_ns)[0]
                    )
                )
                for hand in self._rig.hands
            ]
        return arms, np.array(widths)

"""What goes to the controllers: a set point and, behind it, the way to a stop."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.nodes.command_publisher import arm_trajectory, gripper_trajectory
from wm_planner.rigs.joint_trajectory_controller import JointTrajectoryController
from wm_planner.robot.rig_description import find_rig
from wm_planner.types import Command

SECOND = 1_000_000_000
NOW = 100 * SECOND
RIG = find_rig("simulated_bimanual")
RIGHT, PART = RIG.hands[1], slice(6, 12)
LIMIT = np.full(12, 10.0)


def command(speed: float, stamp_ns: int = NOW + SECOND // 10) -> Command:
    velocity = np.full(12, speed)
    return Command(stamp_ns, np.arange(12) / 20, velocity, np.array([0.02, 0.05]), 1, 0)


@pytest.mark.parametrize("speed", [0.0, 0.3, -2.0])
def test_that_an_arm_reaches_the_set_point_and_then_brakes_within_its_limit(speed):
    given = command(speed)
    controller = JointTrajectoryController(RIGHT.joint_names, given.joint_position[PART])
    controller.update(arm_trajectory(RIGHT, given, PART, LIMIT), NOW)
    position, velocity = controller.sample(given.stamp_ns)
    assert position == pytest.approx(given.joint_position[PART])
    assert velocity == pytest.approx(given.joint_velocity[PART])
    times = given.stamp_ns + np.arange(0, SECOND, SECOND // 200)
    speeds = np.array([controller.sample(int(t))[1][0] for t in times])
    assert np.abs(np.diff(speeds)).max() * 200 <= LIMIT[0] + 1e-6
    assert speeds[-1] == 0.0


def test_that_a_stream_of_set_points_is_followed_smoothly():
    controller = JointTrajectoryController(RIGHT.joint_names, np.zeros(6))
    errors = []
    for now in range(NOW, NOW + 2 * SECOND, SECOND // 20):
        aim = now + SECOND // 10
        position = np.full(12, 0.3 * (aim - NOW) * 1e-9)
        given = Command(aim, position, np.full(12, 0.3), np.zeros(2), 1, 0)
        controller.update(arm_trajectory(RIGHT, given, PART, LIMIT), now)
        errors.append(controller.sample(now)[0][0] - 0.3 * (now - NOW) * 1e-9)
    assert np.abs(errors).max() < 5e-3  # of the start from rest, which dies out
    assert np.abs(errors[12:]).max() < 1e-8


def test_that_a_slightly_late_command_is_not_refused():
    given = command(0.0)
    late = given.stamp_ns + SECOND // 20
    arm = JointTrajectoryController(RIGHT.joint_names, np.zeros(6))
    arm.update(arm_trajectory(RIGHT, given, PART, LIMIT), late)
    fingers = JointTrajectoryController(RIGHT.gripper.joint_names, np.zeros(2))
    fingers.update(gripper_trajectory(RIGHT, given, 1), late)
    assert RIGHT.gripper.width(fingers.sample(late + SECOND)[0]) == pytest.approx(0.05)

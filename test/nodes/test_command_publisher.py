"""What goes to the controllers: a set point and, behind it, the way to a stop."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.executor.limited_motion import LimitedMotion, stop
from wm_planner.executor.motions import Posture
from wm_planner.nodes.command_publisher import arm_trajectory, gripper_trajectory
from wm_planner.rigs.joint_trajectory_controller import JointTrajectoryController
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import Command

SECOND = 1_000_000_000
NOW = 100 * SECOND
RIG = find_rig("simulated_bimanual")
RIGHT, PART = RIG.hands[1], slice(6, 12)
ROBOT = RobotModel(RIG)


def command(speed: float, stamp_ns: int = NOW + SECOND // 10) -> Command:
    velocity = np.full(12, speed)
    return Command(stamp_ns, np.arange(12) / 20, velocity, np.array([0.02, 0.05]), 1, 0)


def stop_of(given: Command) -> LimitedMotion:
    here = (given.joint_position, given.joint_velocity, np.zeros(12), given.gripper_width)
    found = stop(Posture(*here), given.stamp_ns, ROBOT)
    assert found is not None
    return found


@pytest.mark.parametrize("speed", [0.0, 0.3, -2.0])
def test_that_an_arm_reaches_the_set_point_and_then_stops_as_the_executor_would(speed):
    given = command(speed)
    ahead = stop_of(given)
    controller = JointTrajectoryController(RIGHT.joint_names, given.joint_position[PART])
    controller.update(arm_trajectory(RIGHT, given, PART, ahead), NOW)
    position, velocity = controller.sample(given.stamp_ns)
    assert position == pytest.approx(given.joint_position[PART])
    assert velocity == pytest.approx(given.joint_velocity[PART])
    for time_ns in range(given.stamp_ns, ahead.end_ns, SECOND // 200):
        expected = ahead.sample(time_ns).position[PART]
        np.testing.assert_allclose(controller.sample(time_ns)[0], expected, atol=1e-3)
    position, velocity = controller.sample(ahead.end_ns + SECOND // 10)
    np.testing.assert_allclose(position, ahead.sample(ahead.end_ns).position[PART], atol=1e-9)
    assert (velocity == 0.0).all()


def test_that_behind_the_last_command_of_a_stop_there_is_only_rest():
    told = arm_trajectory(RIGHT, command(0.0), PART, None)
    assert (np.diff(told.position, axis=0) == 0.0).all()
    assert (np.array(told.velocity) == 0.0).all()


def test_that_a_stream_of_set_points_is_followed_smoothly():
    controller = JointTrajectoryController(RIGHT.joint_names, np.zeros(6))
    errors = []
    for now in range(NOW, NOW + 2 * SECOND, SECOND // 20):
        aim = now + SECOND // 10
        position = np.full(12, 0.3 * (aim - NOW) * 1e-9)
        given = Command(aim, position, np.full(12, 0.3), np.zeros(2), 1, 0)
        controller.update(arm_trajectory(RIGHT, given, PART, stop_of(given)), now)
        errors.append(controller.sample(now)[0][0] - 0.3 * (now - NOW) * 1e-9)
    assert np.abs(errors).max() < 5e-3  # of the start from rest, which dies out
    assert np.abs(errors[12:]).max() < 1e-8


def test_that_a_slightly_late_command_is_not_refused():
    given = command(0.0)
    late = given.stamp_ns + SECOND // 20
    arm = JointTrajectoryController(RIGHT.joint_names, np.zeros(6))
    arm.update(arm_trajectory(RIGHT, given, PART, None), late)
    fingers = JointTrajectoryController(RIGHT.gripper.joint_names, np.zeros(2))
    fingers.update(gripper_trajectory(RIGHT, given, 1), late)
    assert RIGHT.gripper.width(fingers.sample(late + SECOND)[0]) == pytest.approx(0.05)

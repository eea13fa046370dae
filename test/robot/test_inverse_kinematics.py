"""Inverse kinematics: round trips, joint limits, honest residuals, independent candidates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from wm_planner.errors import ShapeError
from wm_planner.robot.inverse_kinematics import rotation_vector
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import HandPoses

K, H = 6, 8


def wander(robot: RobotModel, generator: np.random.Generator, size: float = 0.4) -> np.ndarray:
    """Candidates (K, H, D) that move away from home in straight lines, within the limits."""
    direction = generator.normal(size=(K, 1, len(robot.joint_names))) * size
    share = np.arange(1, H + 1)[None, :, None] / H
    path = robot.rig.home + share * direction
    return np.clip(path, robot.position_lower, robot.position_upper)


def poses_of(robot: RobotModel, q: np.ndarray) -> HandPoses:
    return robot.hand_poses(q, np.zeros((*q.shape[:-1], 2)))


def test_forward_of_inverse_is_the_target(each_robot: RobotModel, generator) -> None:
    targets = poses_of(each_robot, wander(each_robot, generator))
    q, distance, angle = each_robot.inverse_kinematics(targets, each_robot.rig.home)
    assert q.shape == (K, H, len(each_robot.joint_names))
    reached = poses_of(each_robot, q)
    np.testing.assert_allclose(reached.position, targets.position, atol=2e-4)
    np.testing.assert_allclose(reached.rotation, targets.rotation, atol=2e-4)
    assert max(distance.max(), angle.max()) <= 1e-4


def test_six_joint_arms_come_back_to_the_same_posture(robot: RobotModel, generator) -> None:
    q = wander(robot, generator, size=0.2)
    again, _, _ = robot.inverse_kinematics(poses_of(robot, q), robot.rig.home)
    np.testing.assert_allclose(again, q, atol=5e-3)


def test_residuals_are_what_forward_kinematics_says(each_robot: RobotModel, generator) -> None:
    near = poses_of(each_robot, wander(each_robot, generator))
    far = HandPoses(near.position * 3.0, near.rotation, near.width)
    q, distance, angle = each_robot.inverse_kinematics(far, each_robot.rig.home)
    reached = poses_of(each_robot, q)
    miss = np.linalg.norm(reached.position - far.position, axis=-1)
    np.testing.assert_allclose(distance, miss, atol=1e-12)
    turn = far.rotation @ np.swapaxes(reached.rotation, -1, -2)
    expected = Rotation.from_matrix(turn.reshape(-1, 3, 3)).magnitude()
    np.testing.assert_allclose(angle.ravel(), expected, atol=1e-7)
    assert distance.max() > 0.1


def test_joint_limits_hold_even_for_targets_out_of_reach(each_robot: RobotModel, generator) -> None:
    near = poses_of(each_robot, wander(each_robot, generator, size=1.5))
    far = HandPoses(near.position * 1.5, near.rotation[:, ::-1], near.width)
    q, _, _ = each_robot.inverse_kinematics(far, each_robot.rig.home)
    assert np.isfinite(q).all()
    assert (q >= each_robot.position_lower).all()
    assert (q <= each_robot.position_upper).all()


def test_a_start_outside_the_limits_is_brought_inside(robot: RobotModel) -> None:
    targets = poses_of(robot, np.tile(robot.rig.home, (1, 1, 1)))
    start = robot.rig.home + 5.0
    q, distance, _ = robot.inverse_kinematics(targets, start)
    assert (q <= robot.position_upper).all()
    assert np.isfinite(distance).all()


def test_a_candidate_does_not_depend_on_its_companions(each_robot: RobotModel, generator) -> None:
    targets = poses_of(each_robot, wander(each_robot, generator))
    together, _, _ = each_robot.inverse_kinematics(targets, each_robot.rig.home)
    alone, _, _ = each_robot.inverse_kinematics(targets[2:3], each_robot.rig.home)
    np.testing.assert_allclose(together[2:3], alone, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_with_its_candidate_and_step(
    robot: RobotModel, generator, value: float
) -> None:
    targets = poses_of(robot, wander(robot, generator))
    position = targets.position.copy()
    position[1, 3, 0, 2] = value
    broken = HandPoses(position, targets.rotation, targets.width)
    q, distance, angle = robot.inverse_kinematics(broken, robot.rig.home)
    expected = np.zeros((K, H), bool)
    expected[1, 3] = True
    for result in (q, distance, angle):
        assert np.array_equal(np.isnan(result).any(axis=-1), expected)
        assert np.array_equal(np.isnan(result).all(axis=-1), expected)
    whole, _, _ = robot.inverse_kinematics(targets, robot.rig.home)
    others = np.arange(K) != 1
    np.testing.assert_allclose(q[others], whole[others], atol=1e-12)


def test_rotation_vectors_are_scipys(generator) -> None:
    vectors = generator.normal(size=(50, 3))
    vectors *= (np.linspace(0.0, 3.1, 50) / np.linalg.norm(vectors, axis=1))[:, None]
    matrices = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(rotation_vector(matrices), vectors, atol=1e-9)


def test_half_a_turn_is_never_taken_for_none() -> None:
    for axis in np.eye(3):
        half_turn = Rotation.from_rotvec(np.pi * axis).as_matrix()
        assert np.linalg.norm(rotation_vector(half_turn)) == pytest.approx(np.pi)


def test_wrong_shapes_are_refused(robot: RobotModel) -> None:
    poses = poses_of(robot, np.tile(robot.rig.home, (2, 1)))
    with pytest.raises(ShapeError, match=r"targets of \(2,\)"):
        robot.inverse_kinematics(poses, robot.rig.home)
    with pytest.raises(ShapeError, match=r"expected \(..., 12\) for left_joint_1"):
        robot.inverse_kinematics(poses, np.zeros(11))

"""The robot model: limits, trajectories, and rig files that do not fit their URDF."""

from __future__ import annotations

import numpy as np
import pytest
from odd_rig import ODD_URDF

from wm_planner import actions
from wm_planner.errors import ConfigurationError
from wm_planner.robot.rig_description import load_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import ActionChunks, HandPoses

DT = 0.2


def chunks_through(robot: RobotModel, q: np.ndarray, width: np.ndarray) -> ActionChunks:
    """Actions that lead from home along joint positions (K, H, D) with widths (K, H, 2)."""
    start = robot.hand_poses(robot.rig.home, np.zeros(2))
    relative = actions.difference(start, robot.hand_poses(q, width))
    return ActionChunks(relative, np.ones_like(relative), DT, 0, "bundle")


@pytest.fixture
def swing(robot: RobotModel) -> np.ndarray:
    """Two smooth joint motions from home, (2, 10, D)."""
    time = DT * np.arange(1, 11)[None, :, None]
    size = np.array([0.1, -0.1])[:, None, None]
    return robot.rig.home + size * np.sin(1.5 * time) * np.linspace(-1, 1, 12)


def test_limits_are_the_urdfs_tightened_by_the_rig_file(robot, odd_robot) -> None:
    assert robot.velocity_limit.tolist() == ([2.5] * 3 + [5.0] * 3) * 2
    assert robot.acceleration_limit.tolist() == [15.0] * 12
    assert robot.jerk_limit.tolist() == [150.0] * 12
    assert robot.joint_units == ("rad",) * 12
    assert robot.position_upper[:3].tolist() == [2.6, 1.9, 2.4]
    odd = dict(zip(odd_robot.joint_names, odd_robot.velocity_limit, strict=True))
    assert (odd["A1"], odd["A2"], odd["A3"]) == (1.0, 0.4, 1.0)
    lower = dict(zip(odd_robot.joint_names, odd_robot.position_lower, strict=True))
    assert (lower["A2"], lower["A3"]) == (-0.2, -np.inf)
    assert np.isinf(odd_robot.jerk_limit).all()
    units = dict(zip(odd_robot.joint_names, odd_robot.joint_units, strict=True))
    assert (units["A1"], units["A2"], units["A3"]) == ("rad", "m", "rad")
    with pytest.raises(ValueError, match="read-only"):
        robot.velocity_limit[0] = 9.0


def test_trajectories_follow_the_actions(robot: RobotModel, swing) -> None:
    width = np.full((2, 10, 2), 0.05)
    start = robot.hand_poses(robot.rig.home, np.zeros(2))
    chunks = chunks_through(robot, swing, width)
    result = robot.trajectories(chunks, start, robot.rig.home)
    np.testing.assert_allclose(result.joint_position, swing, atol=2e-3)
    np.testing.assert_allclose(result.gripper_width, width)
    assert result.ik_position_error.max() < 1e-4
    assert result.ik_rotation_error.max() < 1e-4


def test_velocities_are_central_differences(robot: RobotModel, swing) -> None:
    start = robot.hand_poses(robot.rig.home, np.zeros(2))
    chunks = chunks_through(robot, swing, np.zeros((2, 10, 2)))
    result = robot.trajectories(chunks, start, robot.rig.home)
    q, velocity = result.joint_position, result.joint_velocity
    first = (q[:, 1] - robot.rig.home) / (2 * DT)
    np.testing.assert_allclose(velocity[:, 0], first, atol=1e-12)
    middle = (q[:, 2:] - q[:, :-2]) / (2 * DT)
    np.testing.assert_allclose(velocity[:, 1:-1], middle, atol=1e-12)
    last = (q[:, -1] - q[:, -2]) / DT
    np.testing.assert_allclose(velocity[:, -1], last, atol=1e-12)


def test_widths_are_brought_into_range(robot: RobotModel) -> None:
    q = np.tile(robot.rig.home, (1, 2, 1))
    width = np.array([[[-0.01, 0.12], [0.03, 0.09]]])
    start = robot.hand_poses(robot.rig.home, np.zeros(2))
    result = robot.trajectories(chunks_through(robot, q, width), start, robot.rig.home)
    np.testing.assert_allclose(result.gripper_width, [[[0.0, 0.09], [0.03, 0.09]]], atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
def test_a_broken_action_spoils_its_own_candidate_from_there_on(
    robot: RobotModel, swing, value: float
) -> None:
    chunks = chunks_through(robot, swing, np.zeros((2, 10, 2)))
    broken = chunks.actions.copy()
    broken[0, 4:6, 0:6] = value
    start = robot.hand_poses(robot.rig.home, np.zeros(2))
    spoilt = ActionChunks(broken, chunks.variance, DT, 0, "bundle")
    result = robot.trajectories(spoilt, start, robot.rig.home)
    whole = robot.trajectories(chunks, start, robot.rig.home)
    assert not np.isfinite(result.ik_position_error[0, 5:]).any()
    np.testing.assert_allclose(result.joint_position[0, :4], whole.joint_position[0, :4])
    np.testing.assert_allclose(result.joint_position[1], whole.joint_position[1], atol=1e-12)


def test_hand_poses_keep_leading_axes(robot: RobotModel) -> None:
    poses = robot.hand_poses(np.zeros((3, 4, 12)), np.zeros((3, 4, 2)))
    assert isinstance(poses, HandPoses)
    assert poses.lead == (3, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_frame": "cheast"}, "link of base_frame .* 'cheast'. Did you mean 'chest'"),
        ({"base_frame": "a1"}, "base_frame a1 is moved by A1, expected a frame that stands still"),
        ({"hands.left.tool_frame": "A6"}, "link of hands.left.tool_frame .* 'A6'"),
        ({"hands.left.tool_frame": "a5"}, r"listed but not moving it: \['A6'\]"),
        ({"hands.left.home": [9.0, 0, 0, 0, 0, 0]}, "home of A6: got 9.0, expected -2.0 to 2.0"),
        ({"hands.right.gripper.joints.B_THUMB.open": -1}, "open of B_THUMB: got -1.0, expected 0"),
        ({"locked_joints": {"LIFTS": 0}}, "joint of locked_joints .* 'LIFTS'. Did you mean 'LIFT'"),
        ({"locked_joints": {"A1": 0}}, "locked_joints.A1: expected a joint .* no arm or gripper"),
        (
            {"hands.left.joints": ["A6", "A2", "A3", "A4", "A5"], "hands.left.home": [0.0] * 5},
            r"tool frame a_tool is moved by .* missing there: \['A1'\]",
        ),
        (
            {"hands.left.joints": ["A6", "A1", "A2", "A3", "A4", "A55"]},
            "joint of hands.left .* 'A55'. Did you mean 'A5'",
        ),
        (
            {"hands.left.tool_frame": "b_tool", "hands.right.tool_frame": "a_tool"},
            "Are hands.left and hands.right swapped",
        ),
    ],
)
def test_a_rig_file_that_does_not_fit_its_urdf_is_refused(write_rig, changes, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RobotModel(load_rig(write_rig(changes)))


@pytest.mark.parametrize(
    ("urdf", "message"),
    [
        ("", "odd.urdf: cannot be loaded"),
        ("<robot name='x'/>", "odd.urdf"),
        (ODD_URDF[:500], "odd.urdf: cannot be loaded"),
        (ODD_URDF.replace("LIFT", "lift"), "joint of locked_joints"),
        (ODD_URDF.replace('"A1" type="revolute"', '"A1" type="floating"'), "A1 .*6 degrees of fr"),
    ],
)
def test_a_urdf_that_cannot_be_used_is_refused(write_rig, urdf: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RobotModel(load_rig(write_rig({}, urdf)))


def test_a_locked_joint_named_like_a_link_is_refused(write_rig) -> None:
    urdf = ODD_URDF.replace('name="LIFT"', 'name="lift"')
    with pytest.raises(ConfigurationError, match=r"no joint may have the name .* \['lift'\] do"):
        RobotModel(load_rig(write_rig({"locked_joints": {"lift": 0.2}}, urdf)))


def test_an_arm_joint_may_be_locked_on_purpose(write_rig) -> None:
    changes = {
        "hands.left.joints": ["A6", "A2", "A3", "A4", "A5"],
        "hands.left.home": [0.0, 0.0, 0.0, 0.4, 0.4],
        "locked_joints": {"LIFT": 0.25, "A1": 0.3},
    }
    locked = RobotModel(load_rig(write_rig(changes)))
    full = RobotModel(load_rig(write_rig()))
    q = np.linspace(-0.2, 0.2, 12)
    whole = np.insert(q, 1, 0.3)
    for a, b in zip(locked.forward_kinematics(q), full.forward_kinematics(whole), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_joint_without_velocity_limit_needs_one_in_the_rig_file(write_rig) -> None:
    with pytest.raises(ConfigurationError, match="gives A3 no velocity limit; set "):
        RobotModel(load_rig(write_rig({"limits.velocity": None})))


def test_a_urdf_may_limit_acceleration_and_jerk_of_single_joints(write_rig) -> None:
    limit = 'velocity="0.4" effort="9"'
    urdf = ODD_URDF.replace(limit, limit + ' acceleration="1.5" jerk="30"')
    robot = RobotModel(load_rig(write_rig({"limits.jerk": 50.0}, urdf)))
    slow = robot.joint_names.index("A2")
    assert (robot.acceleration_limit[slow], robot.jerk_limit[slow]) == (1.5, 30.0)
    assert np.delete(robot.jerk_limit, slow).tolist() == [50.0] * 12
    broken = ODD_URDF.replace(limit, limit + ' jerk="fast"')
    with pytest.raises(ConfigurationError, match="limit of A2: got jerk 'fast', expected a number"):
        RobotModel(load_rig(write_rig({}, broken)))


def test_condition_numbers_are_those_of_the_jacobian_by_differences(each_robot, generator) -> None:
    home, length = each_robot.rig.home, 0.4
    q = home + 0.3 * generator.normal(size=(4, len(home)))
    position, rotation = each_robot.forward_kinematics(q)
    expected = np.empty((4, 2))
    for side in range(2):
        columns = []
        for joint in range(len(home)):
            step = 1e-6 * np.eye(len(home))[joint]
            moved, turned = each_robot.forward_kinematics(q + step)
            twist = (turned[:, side] @ np.swapaxes(rotation[:, side], -1, -2) - np.eye(3)) / 1e-6
            shift = (moved[:, side] - position[:, side]) / 1e-6 / length
            turn = np.stack([twist[:, 2, 1], twist[:, 0, 2], twist[:, 1, 0]], axis=-1)
            columns.append(np.concatenate([shift, turn], axis=-1))
        jacobian = np.stack(columns, axis=-1)  # (4, 6, D), zero for joints of the other arm
        values = np.linalg.svd(jacobian, compute_uv=False)
        expected[:, side] = values[:, 0] / values[:, 5]
    found = each_robot.condition_number(q, length)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    q[1, 0] = np.nan
    broken = each_robot.condition_number(q, length)
    assert np.isnan(broken).any(axis=1).tolist() == [False, True, False, False]

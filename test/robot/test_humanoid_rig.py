"""The humanoid: kinematics without meshes, recorded names, and hands of six motors."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pinocchio as pin
import pytest

from wm_planner.cli import main
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.observing.joint_reader import JointReader
from wm_planner.robot.rig_description import RigDescription, find_rig, load_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.share_folder import share_folder

#: What turns about x or z has the other sign on the other side; about y the same.
MIRRORED = np.array([1, -1, -1, 1, -1, 1, -1.0])


@pytest.fixture(scope="module")
def rig() -> RigDescription:
    return find_rig("unitree_g1_inspire")


@pytest.fixture(scope="module")
def robot(rig: RigDescription) -> RobotModel:
    return RobotModel(rig)


def some_postures(robot: RobotModel, generator: np.random.Generator) -> np.ndarray:
    shape = (200, len(robot.joint_names))
    return generator.uniform(robot.position_lower, robot.position_upper, shape)


def test_both_hands_stay_within_the_arms_reach(robot, rig, generator) -> None:
    """The links from torso to palm, laid out straight, are the farthest that a palm can be."""
    joints = {joint.get("name"): joint for joint in ElementTree.parse(rig.urdf).iter("joint")}
    position, rotation = robot.forward_kinematics(some_postures(robot, generator))
    assert np.isfinite(position).all() and np.isfinite(rotation).all()
    for side, hand in enumerate(rig.hands):
        names = [*hand.joint_names, f"{hand.side[0].upper()}_base_link_joint"]
        offsets = [np.array(joints[n].find("origin").get("xyz").split(), float) for n in names]
        reach = sum(np.linalg.norm(offset) for offset in offsets[1:])
        assert np.linalg.norm(position[:, side] - offsets[0], axis=-1).max() <= reach
        assert reach < 0.6


def test_mirrored_joints_put_the_hands_at_mirrored_places(robot, generator) -> None:
    left = some_postures(robot, generator)[:, :7]
    position, _ = robot.forward_kinematics(np.concatenate([left, MIRRORED * left], axis=1))
    np.testing.assert_allclose(position[:, 1], position[:, 0] * [1, -1, 1], atol=1e-3)


def test_inverse_kinematics_finds_its_way_back_to_where_the_hands_were(robot, generator) -> None:
    near = robot.rig.home + generator.uniform(-0.2, 0.2, (8, 14))
    width = np.full((8, 2), 0.05)
    targets = robot.hand_poses(near[:, None], width[:, None])
    solved, distance, angle = robot.inverse_kinematics(targets, robot.rig.home)
    assert distance.max() < 2e-3 and angle.max() < 2e-2
    np.testing.assert_allclose(robot.forward_kinematics(solved)[0], targets.position, atol=2e-3)


def joint_state(rig: RigDescription, values: dict[str, float]) -> Any:
    names = sorted(rig.message_joint_names)  # no driver need keep the rig file's order
    stamp = SimpleNamespace(sec=1, nanosec=0)
    return SimpleNamespace(
        name=names, position=[values[n] for n in names], velocity=[],
        header=SimpleNamespace(stamp=stamp),
    )  # fmt: skip


def test_recorded_names_reach_the_urdfs_joints(rig) -> None:
    values = dict.fromkeys(rig.message_joint_names, 0.0)
    values |= {"kRightElbow": 0.7, "kLeftWristYaw": -0.3}
    sample = JointReader(rig).read(joint_state(rig, values))
    arms = dict(zip(rig.joint_names, sample.position, strict=True))
    assert arms.pop("right_elbow_joint") == 0.7
    assert arms.pop("left_wrist_yaw_joint") == -0.3
    assert not any(arms.values())


def test_urdf_names_in_a_message_are_refused_by_name(rig) -> None:
    message = joint_state(rig, dict.fromkeys(rig.message_joint_names, 0.0))
    message.name[message.name.index("kRightElbow")] = "right_elbow_joint"
    with pytest.raises(DataError, match="lacks kRightElbow"):
        JointReader(rig).read(message)


def test_hands_open_monotonically_in_messages_and_in_the_urdf(rig) -> None:
    for hand in rig.hands:
        gripper = hand.gripper
        width = np.linspace(0.0, gripper.max_width, 21)
        for synergy in (gripper, gripper.message):
            positions = synergy.joint_position(width)
            np.testing.assert_allclose(positions[0], synergy.closed)
            np.testing.assert_allclose(positions[-1], synergy.open)
            np.testing.assert_allclose(synergy.width(positions), width, atol=1e-12)
        # A motor counts up while it straightens; the URDF's joints bend while they count up.
        moving = np.ptp(gripper.message.joint_position(width), axis=0) > 0
        assert (np.diff(gripper.message.joint_position(width), axis=0)[:, moving] > 0).all()
        bending = np.diff(gripper.joint_position(width), axis=0)
        assert (bending <= 1e-12).all()


def test_straightening_any_motor_never_narrows_a_hand(rig, generator) -> None:
    for hand in rig.hands:
        message = hand.gripper.message
        share = generator.random((50, len(message.joint_names)))
        for joint in range(len(message.joint_names)):
            more = share.copy()
            more[:, joint] += 0.1
            assert (message.width(more) >= message.width(share) - 1e-12).all()


def test_thumb_and_index_finger_meet_at_width_0_and_are_max_width_apart_at_the_other_end(
    rig,
) -> None:
    model = pin.buildModelFromUrdf(str(rig.urdf))
    data = model.createData()

    def apart(width: float) -> float:
        posture, tips = pin.neutral(model), []
        gripper = rig.hands[1].gripper
        bent = gripper.joint_position(np.array(width))
        for name, value in zip(gripper.joint_names, bent, strict=True):
            posture[model.joints[model.getJointId(name)].idx_q] = value
        pin.framesForwardKinematics(model, data, posture)
        for link in ("R_thumb_distal", "R_index_intermediate"):
            frame = model.frames[model.getFrameId(link)]
            centre = model.inertias[frame.parentJoint].lever
            tips.append(data.oMf[model.getFrameId(link)].act(2 * centre))
        return float(np.linalg.norm(tips[0] - tips[1]))

    widths = np.linspace(0.0, rig.hands[1].gripper.max_width, 15)
    distances = np.array([apart(width) for width in widths])
    assert (np.diff(distances[1:]) > 0).all()
    np.testing.assert_allclose(distances, widths, atol=0.013)


def test_what_cannot_be_checked_for_collisions_is_said(rig, caplog) -> None:
    with caplog.at_level(logging.WARNING, "wm_planner"):
        robot = RobotModel(rig)
    assert "NOT checked" in caplog.text and f"{len(robot.unchecked_links)} links" in caplog.text
    for link in ("left_elbow_link", "torso_link", "R_hand_base_link", "L_thumb_distal"):
        assert link in robot.unchecked_links
        assert not any(link in pair for pair in robot.collision_pairs)
    report = robot.collisions(rig.home[None])
    assert report.distance[0] > 0


def test_the_check_says_how_many_links_are_not_checked(capsys) -> None:
    config = share_folder() / "config" / "unitree_g1_inspire.yaml"
    assert main(["check", "--config", str(config)]) == 0
    assert "50 links NOT checked: no meshes" in capsys.readouterr().out


def test_missing_meshes_are_an_error_unless_the_rig_file_does_without(rig, tmp_path) -> None:
    folder = tmp_path / rig.urdf.parent.name
    folder.mkdir()
    (folder / rig.urdf.name).write_text(rig.urdf.read_text())
    text = (rig.urdf.parents[1] / "unitree_g1_inspire.yaml").read_text()
    path = tmp_path / "strict.yaml"
    path.write_text(text.replace("without_meshes: true", "without_meshes: false"))
    with pytest.raises(ConfigurationError, match="mesh files are missing, the first is meshes/"):
        RobotModel(load_rig(path))


def test_a_rig_that_has_its_meshes_leaves_nothing_unchecked() -> None:
    assert RobotModel(find_rig("simulated_bimanual")).unchecked_links == ()


def test_the_urdfs_licence_is_beside_it(rig) -> None:
    assert "BSD 3-Clause" in (Path(rig.urdf).parent / "LICENSE").read_text()

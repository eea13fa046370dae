"""Rig files: the shipped ones load, and no damaged one gets through unnamed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from odd_rig import ODD_RIG

from wm_planner.errors import ConfigurationError, WmPlannerError
from wm_planner.robot.rig_description import find_rig, load_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.share_folder import share_folder

SHIPPED = sorted((share_folder() / "config" / "rigs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_rig_has_its_files_name_and_a_robot(path: Path) -> None:
    rig = find_rig(path.stem)
    assert rig.name == path.stem
    assert RobotModel(rig).joint_names == rig.joint_names


def test_the_simulated_rig_has_the_frozen_numbers() -> None:
    rig = find_rig("simulated_bimanual")
    arms = [f"{side}_joint_{i}" for side in ("left", "right") for i in range(1, 7)]
    assert list(rig.joint_names) == arms
    assert rig.home.tolist() == [0, 0, 0.07, 0, 1.5008, 0] * 2
    assert rig.max_gripper_width.tolist() == [0.09, 0.09]
    assert rig.base_frame == "base_link"
    assert "head" in rig.cameras


def test_an_unknown_rig_names_the_closest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'simulated_bimanual'"):
        find_rig("simulated_bimanul")


def test_the_hash_follows_values_and_not_comments(write_rig) -> None:
    path = write_rig()
    before = load_rig(path).content_hash
    path.write_text("# a comment\n" + path.read_text())
    assert load_rig(path).content_hash == before
    urdf = path.with_name("odd.urdf")
    urdf.write_text(urdf.read_text() + "<!-- -->")
    changed_urdf = load_rig(path).content_hash
    changed_value = load_rig(write_rig({"limits.acceleration": 9.0})).content_hash
    assert len({before, changed_urdf, changed_value}) == 3


def test_widths_and_finger_positions_are_each_others_inverse() -> None:
    for hand in find_rig("simulated_bimanual").hands:
        width = np.linspace(0.0, hand.gripper.max_width, 7).reshape(7, 1)
        fingers = hand.gripper.joint_position(width)
        assert fingers.shape == (7, 1, 2)
        np.testing.assert_allclose(fingers.sum(-1), width, atol=1e-15)
        np.testing.assert_allclose(hand.gripper.width(fingers), width, atol=1e-15)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"urdf": "gone.urdf"}, "urdf: got 'gone.urdf', expected a file"),
        ({"hands.left.joint": ["A1"]}, "in .*odd.yaml: hands.left 'joint'. Did you mean 'joints'"),
        ({"hands.middle": {}}, "Unknown key in .*hands 'middle'"),
        ({"hands.right": None}, "hands.right: missing, expected a mapping"),
        ({"hands.left.home": [0.0] * 5}, "hands.left.home: got .* expected a list of 6 numbers"),
        ({"hands.left.joints": []}, "hands.left.joints: got .* expected at least one joint"),
        ({"hands.left.gripper.max_width": 0}, "max_width: got 0.0, expected a width in m above 0"),
        ({"hands.left.gripper.joints": {}}, "joints: got {}, expected a joint whose open differs"),
        ({"hands.right.arm_topic": "/a/arm"}, "right.arm_topic: got '/a/arm', expected another"),
        ({"hands.right.gripper.joints": {"A1": {"closed": 0, "open": 1}}}, r"got \['A1'\], .*once"),
        ({"limits.acceleration": -1.0}, "limits.acceleration: got -1.0, expected .* above 0"),
        ({"workspace.lower": [2.0, 0.0, 0.0]}, "workspace.upper: got .* expected more than lower"),
        ({"cameras.head.height": 0}, "cameras.head.height: got 0, expected a whole number above 0"),
        ({"cameras.head.required": "yes!"}, "required: got 'yes!', expected true or false"),
        ({"locked_joints": {"LIFT": "up"}}, "locked_joints.LIFT: got 'up', expected a number"),
    ],
)
def test_a_wrong_rig_file_is_refused_with_field_got_and_expected(
    write_rig, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_rig(write_rig(changes))


def test_a_joint_listed_twice_is_refused(write_rig) -> None:
    joints = ["A1", "A1", "A2", "A3", "A4", "A5"]
    with pytest.raises(ConfigurationError, match=r"\['A1'\] came twice"):
        load_rig(write_rig({"hands.left.joints": joints}))


def places(section: dict[str, Any]) -> list[tuple[str, ...]]:
    """Paths of everything within a nested mapping."""
    paths: list[tuple[str, ...]] = []
    for key, value in section.items():
        paths.append((key,))
        if isinstance(value, dict):
            paths.extend((key, *rest) for rest in places(value))
    return paths


JUNK = [None, True, -1, 10**400, float("nan"), "", "\0", "x", [], {}, [[]], {"a": {"b": []}}]


@pytest.mark.parametrize("place", places(ODD_RIG), ids=".".join)
def test_junk_anywhere_is_an_error_with_a_message_or_fine(write_rig, place) -> None:
    path = write_rig()
    for junk in JUNK:
        rig = copy.deepcopy(ODD_RIG)
        section = rig
        for name in place[:-1]:
            section = section[name]
        section[place[-1]] = junk
        path.write_text(yaml.safe_dump(rig))
        try:
            RobotModel(load_rig(path))
        except WmPlannerError as error:
            assert str(error)

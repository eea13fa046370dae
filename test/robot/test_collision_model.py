"""Collisions: distances that can be worked out by hand, and pairs left out on purpose."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from odd_rig import ODD_URDF

from wm_planner.errors import ConfigurationError
from wm_planner.robot.rig_description import load_rig
from wm_planner.robot.robot_model import RobotModel


def test_distances_are_those_of_the_odd_robots_balls(odd_robot: RobotModel, generator) -> None:
    lower, upper = np.maximum(odd_robot.position_lower, -3), np.minimum(odd_robot.position_upper, 3)
    postures = generator.uniform(lower, upper, size=(20, len(lower)))
    report = odd_robot.collisions(postures)
    model = pin.buildModelFromUrdf(str(odd_robot.rig.urdf))
    data = model.createData()
    radius = {**{f"a{i}": 0.02 for i in range(1, 7)}, **{f"b{i}": 0.02 for i in range(1, 8)}}
    radius["b0"] = 0.2
    for row, posture in enumerate(postures):
        q = pin.neutral(model)
        for name, value in zip(odd_robot.joint_names, posture, strict=True):
            joint = model.joints[model.getJointId(name)]
            value = (np.cos(value), np.sin(value)) if joint.nq == 2 else value
            q[joint.idx_q : joint.idx_q + joint.nq] = value
        pin.framesForwardKinematics(model, data, q)
        centre = {}
        for name in radius:
            placement = data.oMf[model.getFrameId(name, pin.FrameType.BODY)]
            centre[name] = placement.act(np.array([0, 0, 0.0 if name == "b0" else 0.1]))
        expected = {"within": np.inf, "between": np.inf}
        for pair in odd_robot.collision_pairs:
            one, other = pair
            arms = {name[0] if name != "b0" else "body" for name in pair}
            kind = "between" if arms == {"a", "b"} else "within"
            gap = np.linalg.norm(centre[one] - centre[other]) - radius[one] - radius[other]
            expected[kind] = min(expected[kind], gap)
        assert report.self_distance[row] == pytest.approx(expected["within"], abs=1e-6)
        assert report.inter_arm_distance[row] == pytest.approx(expected["between"], abs=1e-6)


def test_neighbours_fingers_and_what_always_touches_are_left_out(robot, odd_robot) -> None:
    pairs = robot.collision_pairs
    for side in ("left", "right"):
        for i in range(1, 6):
            assert frozenset((f"{side}_link_{i}", f"{side}_link_{i + 1}")) not in pairs
        assert frozenset((f"{side}_finger_link_1", f"{side}_finger_link_2")) not in pairs
        assert frozenset((f"{side}_link_4", f"{side}_link_6")) not in pairs  # the SRDF
        assert frozenset((f"{side}_link_1", f"{side}_link_5")) in pairs
    assert frozenset(("left_link_6", "right_link_6")) in pairs
    assert frozenset(("left_base", "right_finger_link_1")) in pairs
    assert frozenset(("b0", "b2")) not in odd_robot.collision_pairs


def test_arms_that_cross_are_an_inter_arm_collision(robot: RobotModel) -> None:
    apart = robot.rig.home
    crossed = apart.copy()
    crossed[0], crossed[6] = -0.9, 0.9  # both swing inwards
    report = robot.collisions(np.stack([apart, crossed]))
    assert report.distance[0] > 0.05
    assert not report.inter_arm[0]
    assert report.distance[1] < 0.0
    assert report.inter_arm[1]
    assert "left_" in report.pair[1]
    assert "right_" in report.pair[1]


def test_an_arm_folded_onto_itself_is_a_self_collision(robot: RobotModel) -> None:
    folded = robot.rig.home.copy()
    folded[2] = 1.5
    report = robot.collisions(folded[None])
    assert report.self_distance[0] < 0.0
    assert not report.inter_arm[0]
    assert report.pair[0].count("left_") == 2


def test_left_and_right_mirror_each_other(robot: RobotModel, generator) -> None:
    one = robot.rig.home + generator.normal(size=(20, 12)) * 0.5
    # Reflecting x turns every roll and yaw around and leaves pitch alone.
    sign = np.tile([-1.0, 1.0, 1.0, -1.0, 1.0, -1.0], 2)
    other = (one * sign).reshape(20, 2, 6)[:, ::-1].reshape(20, 12)
    a, b = robot.collisions(one), robot.collisions(other)
    np.testing.assert_allclose(a.self_distance, b.self_distance, atol=1e-6)
    np.testing.assert_allclose(a.inter_arm_distance, b.inter_arm_distance, atol=1e-6)


def test_a_row_that_is_not_finite_measures_nan_and_leaves_the_others(robot: RobotModel) -> None:
    postures = np.tile(robot.rig.home, (3, 1))
    postures[1, 7] = np.nan
    report = robot.collisions(postures)
    assert np.isnan(report.distance).tolist() == [False, True, False]
    assert report.distance[0] == report.distance[2]
    assert report.pair[1] == ""


def test_open_fingers_reach_further_than_closed_ones(robot: RobotModel) -> None:
    turned = robot.rig.home.copy()
    turned[[0, 6]] = -0.55, 0.55
    postures, widths = np.tile(turned, (2, 1)), np.array([[0.0, 0.0], [0.09, 0.09]])
    closed, opened = robot.collisions(postures, widths).inter_arm_distance
    assert opened <= closed


def test_a_home_posture_in_collision_is_refused(write_rig) -> None:
    home = [0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    with pytest.raises(ConfigurationError, match=r"home: links b. - b. overlap by .* mm"):
        RobotModel(load_rig(write_rig({"hands.right.home": home})))


@pytest.mark.parametrize(
    ("srdf", "message"),
    [
        ("not xml", "odd.srdf: is not an SRDF"),
        ('<robot><disable_collisions link1="a1" link2="a33"/></robot>', "'a33'. Did you mean 'a3'"),
        ('<robot><disable_collisions link1="a1"/></robot>', "Unknown link of disable_collisions"),
    ],
)
def test_an_srdf_that_cannot_be_used_is_refused(write_rig, srdf: str, message: str) -> None:
    write_rig().with_name("odd.srdf").write_text(srdf)
    with pytest.raises(ConfigurationError, match=message):
        RobotModel(load_rig(write_rig({"srdf": "odd.srdf"})))


def test_meshes_are_measured_by_their_hull(write_rig) -> None:
    corners = [f"v {x} {y} {z}" for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    faces = ["f 1 2 4 3", "f 5 7 8 6", "f 1 5 6 2", "f 3 4 8 7", "f 1 3 7 5", "f 2 6 8 4"]
    write_rig().with_name("cube.obj").write_text("\n".join([*corners, *faces]))

    def reports(shape: str) -> np.ndarray:
        link = f"<link name='a_tool'><collision><geometry>{shape}</geometry></collision></link>"
        urdf = ODD_URDF.replace('<link name="a_tool"></link>', link)
        robot = RobotModel(load_rig(write_rig({}, urdf)))
        postures = np.random.default_rng(0).uniform(-0.5, 0.5, size=(20, 13))
        report = robot.collisions(robot.rig.home + postures)
        return np.stack([report.self_distance, report.inter_arm_distance])

    mesh = '<mesh filename="package://cube.obj" scale="0.03 0.03 0.03"/>'
    np.testing.assert_allclose(reports(mesh), reports('<box size="0.06 0.06 0.06"/>'), atol=1e-5)

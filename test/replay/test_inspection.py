"""What is wrong with a bag is found, and nothing is found on a good one."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from painted_rig import RIG
from simple_bags import (
    CAMERA,
    JOINTS,
    START,
    commanded,
    header,
    image_message,
    run,
    write_bag,
)

from wm_planner.cli import main
from wm_planner.errors import DataError
from wm_planner.replay.inspection import inspect, mismatches, problems_of
from wm_planner.replay.rig_proposal import propose_joints, propose_topics, rig_skeleton

SECOND = 1_000_000_000
BLANK = np.zeros((6, 8, 3), np.uint8)
PICTURES, STATES = CAMERA.topic, RIG.topics.joint_states


def without(topic: str, begin_s: float, end_s: float):
    def change(message):
        log_ns, name, _ = message
        return None if name == topic and begin_s <= (log_ns - START) / SECOND < end_s else message

    return change


def repainted(paint, begin_s: float = 0.0):
    def change(message):
        log_ns, name, _ = message
        if name != PICTURES or (log_ns - START) / SECOND < begin_s:
            return message
        return log_ns, name, image_message(log_ns, paint(BLANK))

    return change


def set_back(message):
    log_ns, name, content = message
    if log_ns >= START + SECOND:
        content.header = header(log_ns - 100 * SECOND)
    return log_ns, name, content


def test_a_good_bag_has_rates_sizes_and_joints_and_no_problem_but_the_missing_info(tmp_path):
    found = inspect(write_bag(tmp_path / "bag"))
    assert problems_of(found) == [f"{PICTURES}: no CameraInfo beside it"]
    assert mismatches(found, RIG) == []
    assert found.topics[PICTURES].rate_hz == pytest.approx(10.0)
    assert found.topics[STATES].rate_hz == pytest.approx(50.0)
    assert found.topics[PICTURES].size == (CAMERA.height, CAMERA.width)
    assert found.topics[PICTURES].skew_s == pytest.approx(0.001)
    assert found.topics[STATES].joint_names == JOINTS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without(PICTURES, 0.55, 1.45), f"{PICTURES}: silent for 1.00 s at 0.50 s"),
        (without(PICTURES, 0.0, 0.65), f"{PICTURES}: silent for 0.70 s at 0.00 s"),
        (without(STATES, 1.005, 2.0), f"{STATES}: silent for 0.90 s at 1.00 s"),
        (repainted(np.zeros_like), f"{PICTURES}: black for 1.90 s at 0.00 s"),
        (repainted(np.zeros_like, 0.75), f"{PICTURES}: black for 1.10 s at 0.80 s"),
        (repainted(np.ones_like, 0.35), f"{PICTURES}: black for 1.50 s at 0.40 s"),
        (repainted(lambda m: np.full_like(m, 99)), f"{PICTURES}: frozen for 1.80 s at 0.10 s"),
        (
            repainted(lambda m: np.full_like(m, 99), 0.55),
            f"{PICTURES}: frozen for 1.20 s at 0.70 s",
        ),
        (set_back, f"{STATES}: the clock was set back 1 times"),
    ],
)
def test_each_fault_is_named(tmp_path, change, said):
    problems = problems_of(inspect(write_bag(tmp_path / "bag", change=change)))
    assert any(problem.startswith(said) for problem in problems), problems


def test_an_empty_bag_is_refused(tmp_path):
    with pytest.raises(DataError, match="no messages"):
        inspect(write_bag(tmp_path / "bag", change=lambda message: None))


def renamed(message):
    log_ns, name, content = message
    if name == STATES:
        content.name = [joint.replace("left_", "L_").replace("right_", "R_") for joint in JOINTS]
        return log_ns, "/robot/joint_states", content
    return log_ns, "/head/color/image_raw", content


def test_other_names_are_matched_and_sides_never_mixed(tmp_path):
    found = inspect(write_bag(tmp_path / "bag", change=renamed))
    assert len(mismatches(found, RIG)) == 2
    topics = propose_topics(found, RIG)
    assert topics[PICTURES] == "/head/color/image_raw"
    assert topics[STATES] == "/robot/joint_states"
    matched = propose_joints(found.topics["/robot/joint_states"].joint_names, RIG)
    assert set(matched) == set(RIG.message_joint_names)
    for ours, theirs in matched.items():
        assert theirs == ours.replace("left_", "L_").replace("right_", "R_")


def test_the_skeleton_holds_every_recorded_name_on_its_side(tmp_path):
    rig = yaml.safe_load(rig_skeleton(inspect(write_bag(tmp_path / "bag")), "mine"))
    assert set(rig) <= {*RIG.__dataclass_fields__}
    for hand in RIG.hands:
        written = rig["hands"][hand.side]
        assert tuple(written["joints"]) == hand.joint_names
        assert tuple(written["gripper"]["joints"]) == hand.gripper.joint_names
    (camera,) = rig["cameras"].values()
    assert (camera["topic"], camera["height"], camera["width"]) == (PICTURES, 192, 256)


def test_the_skeleton_takes_what_joints_did_and_not_what_they_were_told(tmp_path):
    def told(message):
        return (message[0], "/joint_command", message[2]) if message[1] == "/told" else message

    bag = write_bag(tmp_path / "bag", commanded(2.0), change=told)
    assert yaml.safe_load(rig_skeleton(inspect(bag), "mine"))["topics"]["joint_states"] == STATES


def test_the_command_tells_whether_the_bag_serves_the_rig(tmp_path, capsys):
    good = write_bag(tmp_path / "good")
    assert main(["inspect", str(good)]) == 0
    assert "serves the rig simulated_bimanual" in capsys.readouterr().out
    other = write_bag(tmp_path / "other", run(), change=renamed)
    assert main(["inspect", str(other)]) == 1
    assert f"{PICTURES}: /head/color/image_raw" in capsys.readouterr().out
    assert main(["inspect", str(good), "--rig", "unitree_g1_inspire"]) == 1
    assert capsys.readouterr().out.endswith("serves simulated_bimanual: --rig simulated_bimanual\n")
    assert main(["inspect", str(tmp_path / "nothing")]) == 2

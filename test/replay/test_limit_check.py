"""The limit check finds what breaks a limit, by how much and when, and knows no filter."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from painted_rig import RIG
from simple_bags import START, STORE, header, write_bag

from wm_planner import cli, limit_check
from wm_planner.errors import DataError
from wm_planner.limit_check import read_limits
from wm_planner.replay import bag_limits
from wm_planner.replay.bag_limits import check_limits

HAND = RIG.hands[0]
JOINT = HAND.joint_names[0]
PERIOD_S = 0.05
TURN = 2.0  # rad/s of the sine below


def trajectory(stamp_ns, names, points, velocities=None):
    """Points are rows of positions, 0.1 s apart."""
    kind = STORE.types["trajectory_msgs/msg/JointTrajectoryPoint"]
    duration = STORE.types["builtin_interfaces/msg/Duration"]
    rows = velocities if velocities is not None else [np.zeros(0)] * len(points)
    content = [
        kind(np.array(p, float), np.array(v, float), np.zeros(0), np.zeros(0),
             duration(0, k * 100_000_000))
        for k, (p, v) in enumerate(zip(points, rows, strict=True))
    ]  # fmt: skip
    return STORE.types["trajectory_msgs/msg/JointTrajectory"](
        header(stamp_ns), list(names), content
    )


def sine(amplitude, count=100, change=lambda step, position, velocity: (position, velocity)):
    """The first joint swings about home, one set point a period, with the stop behind it."""
    for step in range(count):
        time_s = step * PERIOD_S
        position, velocity = np.array(HAND.home, float), np.zeros(6)
        position[0] += amplitude * np.sin(TURN * time_s)
        velocity[0] = amplitude * TURN * np.cos(TURN * time_s)
        position, velocity = change(step, position, velocity)
        stamp = START + round(time_s * 1e9)
        ends = [position, position + 0.05 * velocity], [velocity, np.zeros(6)]
        yield stamp, HAND.arm_topic, trajectory(stamp, HAND.joint_names, *ends)


def shares(bag, rig=RIG):
    return {
        name: worst.share for name, worst in check_limits(bag, rig).reports[JOINT].worst.items()
    }


@pytest.fixture
def swinging(tmp_path):
    return write_bag(tmp_path / "bag", sine(0.5))


def test_that_shares_are_those_of_the_motion(swinging):
    found = shares(swinging)
    limit = read_limits(RIG)[JOINT]
    assert found["position"] == pytest.approx(0.5 / 2.6, rel=0.05)  # a little further in the stops
    assert found["velocity"] == pytest.approx(0.5 * TURN / limit.velocity, rel=1e-3)
    # The stop takes 0.1 s from the highest velocity.
    assert found["acceleration"] == pytest.approx(0.5 * TURN / 0.1 / limit.acceleration, rel=1e-3)
    assert found["jerk"] == pytest.approx(0.5 * TURN**3 / limit.jerk, rel=1e-2)
    other = check_limits(swinging, RIG).reports[HAND.joint_names[1]]
    assert (other.commands, other.worst["velocity"].share) == (100, 0.0)


def test_that_half_the_limit_is_twice_the_share(swinging):
    limits = dataclasses.replace(
        RIG.limits, velocity=1.25, acceleration=RIG.limits.acceleration / 2
    )
    before, after = shares(swinging), shares(swinging, dataclasses.replace(RIG, limits=limits))
    assert after["acceleration"] == pytest.approx(2 * before["acceleration"])
    assert after["velocity"] == pytest.approx(2 * before["velocity"])  # the URDF's is 2.5
    assert after["position"] == before["position"]


def jump(step, position, velocity):
    return position + [0.2 * (step >= 40), 0, 0, 0, 0, 0], velocity


def wriggle(step, position, velocity):
    return position, velocity + [0.5 * (-1) ** step * (step >= 40), 0, 0, 0, 0, 0]


def kick(step, position, velocity):
    return position, velocity + [1.0 * (step == 40), 0, 0, 0, 0, 0]


def beyond(step, position, velocity):
    return position + [3.0, 0, 0, 0, 0, 0], velocity


def nothing(step, position, velocity):
    return position * (np.nan if step == 40 else 1), velocity


@pytest.mark.parametrize(
    ("change", "quantity", "share"),
    [
        (jump, "velocity", 0.2 / PERIOD_S / 2.5),
        (kick, "acceleration", 1.0 / PERIOD_S / 15.0),
        (wriggle, "jerk", 4 * 0.5 / PERIOD_S**2 / 150.0),
        (beyond, "position", 3.0 / 2.6),
        (nothing, "position", np.nan),
    ],
)
def test_that_each_violation_is_found_where_it_is(tmp_path, capsys, change, quantity, share):
    bag = write_bag(tmp_path / "bag", sine(0.01, change=change))
    check = check_limits(bag, RIG)
    worst = check.reports[JOINT].worst[quantity]
    assert worst.violated
    assert (check.commands, check.violations > 0) == (100, True)
    if change is nothing:  # one set point, and the differences with it
        assert check.violations <= 3
    assert worst.share == pytest.approx(share, rel=0.05, nan_ok=True)
    assert cli.main(["limits", str(bag)]) == 1
    said = capsys.readouterr().out
    assert f"{JOINT}: {worst.share:.3f} of its {quantity} limit" in said
    if change in (jump, nothing):
        assert worst.at_s == pytest.approx(40 * PERIOD_S, abs=0.11)


def test_that_good_commands_are_told_and_exit_with_0(tmp_path, capsys):
    assert cli.main(["limits", str(write_bag(tmp_path / "bag", sine(0.1)))]) == 0
    said = capsys.readouterr().out
    assert "100 commands" in said and "no limits violated, by 0 of 100 messages" in said


def test_that_after_a_pause_velocities_are_not_compared_but_positions_are(tmp_path):
    def pausing(distance):
        for at_s, position, velocity in ((0.0, 0.0, 0.0), (1.0, distance, 1.0)):
            stamp = START + round(at_s * 1e9)
            rows = [np.r_[position, np.zeros(5)]], [np.r_[velocity, np.zeros(5)]]
            yield stamp, HAND.arm_topic, trajectory(stamp, HAND.joint_names, *rows)

    near = shares(write_bag(tmp_path / "near", pausing(0.0)))
    still = {"position": 0.0, "velocity": 0.4, "acceleration": 0.0, "jerk": 0.0}
    assert near == pytest.approx(still)
    assert shares(write_bag(tmp_path / "far", pausing(2.6)))["velocity"] > 1


def test_that_two_commands_for_one_time_must_be_the_same(tmp_path):
    def twice(distance):
        for position in (0.0, distance):
            rows = [np.r_[position, np.zeros(5)]], [np.zeros(6)]
            yield START, HAND.arm_topic, trajectory(START, HAND.joint_names, *rows)

    assert shares(write_bag(tmp_path / "same", twice(0.0)))["velocity"] == 0
    assert shares(write_bag(tmp_path / "other", twice(0.1)))["velocity"] == np.inf


def test_that_fingers_are_judged_too(tmp_path):
    def opening():
        for step in range(4):
            stamp = START + step * 50_000_000
            names, row = HAND.gripper.joint_names, [0.03 * step] * 2
            yield stamp, HAND.gripper_topic, trajectory(stamp, names, [row])

    check = check_limits(write_bag(tmp_path / "bag", opening()), RIG)
    worst = check.reports[HAND.gripper.joint_names[0]]
    assert worst.commands == 4
    assert worst.worst["velocity"].share == pytest.approx(0.03 / 0.05 / 0.5)
    assert worst.worst["position"].violated


def test_that_what_cannot_be_judged_is_said_in_a_sentence(tmp_path):
    with pytest.raises(DataError, match="no commands on /left_arm_controller"):
        check_limits(write_bag(tmp_path / "none"), RIG)
    stranger = [(START, HAND.arm_topic, trajectory(START, ["tail"], [[0.0]]))]
    with pytest.raises(DataError, match="tail is not a joint of the rig"):
        check_limits(write_bag(tmp_path / "stranger", stranger), RIG)


def test_that_it_shares_nothing_with_what_it_judges():
    sources = [Path(module.__file__).read_text() for module in (limit_check, bag_limits)]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name and name.startswith("wm_planner")}
    assert ours <= {
        "wm_planner.errors", "wm_planner.limit_check", "wm_planner.messages.arrays",
        "wm_planner.replay.bag", "wm_planner.robot.rig_description",
    }  # fmt: skip

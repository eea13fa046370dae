"""Episodes as bags: what goes in comes out again."""

from __future__ import annotations

import numpy as np
import pytest
from humanoid_data import humanoid_data
from painted_rig import RIG
from simple_bags import commanded, imported, run, write_bag

from wm_planner.cli import main
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.errors import DataError
from wm_planner.replay.bag import Bag
from wm_planner.replay.episode_bag import write_episode
from wm_planner.replay.inspection import inspect, mismatches
from wm_planner.replay.recorded_run import read_recorded_run
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel

SECONDS = 4.0


def test_an_episode_comes_back_from_its_bag(tmp_path) -> None:
    """Joints and widths as they were, set points and actions within the inverse kinematics."""
    first = imported(tmp_path / "one", write_bag(tmp_path / "bag", commanded(SECONDS)))
    assert main(["export-bag", str(tmp_path / "one"), "--out", str(tmp_path / "bags")]) == 0
    bag = tmp_path / "bags" / "episode_000000"
    assert mismatches(inspect(bag), RIG) == []
    infos = inspect(bag).of_type("sensor_msgs/msg/CameraInfo")
    assert [topic.count for topic in infos] == [len(first.action)]
    again = imported(tmp_path / "two", bag)
    same_episode(first, again)
    assert main(["export-bag", str(tmp_path / "one"), "--out", str(tmp_path / "bags")]) == 2
    words = ["export-bag", str(tmp_path / "one"), "--out", str(tmp_path / "x"), "--episodes", "3"]
    assert main(words) == 2 and not (tmp_path / "x" / "episode_000003").exists()


def same_episode(first: LeRobotDataset, again: LeRobotDataset) -> None:
    for name in ("joint_position", "joint_velocity", "gripper_width"):
        np.testing.assert_allclose(getattr(again, name), getattr(first, name), atol=1e-6)
    np.testing.assert_allclose(again.hand_pose, first.hand_pose, atol=1e-6)
    np.testing.assert_allclose(again.hand_target, first.hand_target, atol=2e-4)
    np.testing.assert_allclose(again.action, first.action, atol=2e-4)
    assert again.instruction.tolist() == first.instruction.tolist()
    assert again.success.tolist() == first.success.tolist()
    apart = again.frames("head").astype(int) - first.frames("head")
    assert np.abs(apart).mean() < 4  # two more passes through a size and a codec


def test_the_bag_of_a_real_humanoid_is_its_dataset_and_comes_back(tmp_path) -> None:
    data, rig = humanoid_data(), "unitree_g1_inspire"
    words = ["import", str(data / "lerobot_v21"), "--episodes", "1", "--cameras", "head=cam_high"]
    words += ["--rig", rig, "--published-at", "example.org", "--licence", "MIT", "--out"]
    assert main([*words, str(tmp_path / "set")]) == 0
    published = LeRobotDataset(tmp_path / "set")
    bagged = imported(tmp_path / "bagged", data / "bag_episode_000001", rig=rig)
    for name in ("joint_position", "gripper_width", "hand_pose", "hand_target", "action"):
        np.testing.assert_array_equal(getattr(bagged, name), getattr(published, name))
    assert main([
        "export-bag", str(tmp_path / "set"), "--out", str(tmp_path / "bags"),
    ]) == 0  # fmt: skip
    bag = tmp_path / "bags" / "episode_000000"
    same_episode(published, imported(tmp_path / "again", bag, rig=rig))
    with Bag(bag) as opened:
        pursuits = read_recorded_run(opened).pursuits
    assert [one.instruction for one in pursuits] == published.instruction.tolist()


def test_another_robots_episode_is_refused(tmp_path) -> None:
    data = imported(tmp_path / "one", write_bag(tmp_path / "bag", run(SECONDS)))
    with pytest.raises(DataError, match="the rig unitree_g1_inspire has"):
        write_episode(data, 0, RobotModel(find_rig("unitree_g1_inspire")), tmp_path / "out")

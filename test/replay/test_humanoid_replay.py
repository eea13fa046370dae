"""The first seconds of a real humanoid's bag, through the whole planner with the shipped models."""

from __future__ import annotations

from pathlib import Path

import pytest
from humanoid_data import humanoid_data
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

from wm_planner.messages.bag_types import bag_types
from wm_planner.replay.inspection import inspect, mismatches
from wm_planner.replay.job import BAG, ReplayJob, replay_bag
from wm_planner.robot.rig_description import find_rig
from wm_planner.share_folder import share_folder

SECONDS = 5.0
INSTRUCTION = "Pick up the yellow bottle on the table."


@pytest.fixture(scope="module")
def first_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = humanoid_data() / "bag_episode_000001"
    folder = tmp_path_factory.mktemp("bags") / "first_seconds"
    types = bag_types()
    with (
        AnyReader([source], default_typestore=types) as reader,
        Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        begin, connections = reader.start_time, {}
        for connection, log_ns, data in reader.messages():
            if log_ns > begin + SECONDS * 1e9:
                break
            topic, kind = connection.topic, connection.msgtype
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=types)
            writer.write(connections[topic], log_ns, bytes(data))
    return folder


def job(bag: Path, folder: Path) -> ReplayJob:
    config = share_folder() / "config" / "unitree_g1_inspire.yaml"
    return ReplayJob(bag=bag, folder=folder, config=config, instruction=INSTRUCTION)


def test_the_bag_serves_the_rig_without_camera_info(first_seconds) -> None:
    assert mismatches(inspect(first_seconds), find_rig("unitree_g1_inspire")) == []


@pytest.mark.slow
def test_a_replay_plans_the_same_twice_and_keeps_the_resting_hand_still(
    first_seconds, tmp_path
) -> None:
    once, again = (replay_bag(job(first_seconds, tmp_path / name)) for name in ("one", "two"))
    assert once["output_hash"] == again["output_hash"]
    assert once["planning_cycles"] >= 4 and once["plans"] >= 1
    assert inspect(tmp_path / "one" / BAG).topics["/replay/planner/report"].count > 0
    # Only frames before the first joint state are of no use.
    assert sum(once["dropped"].values()) <= 2, once["dropped"]
    foreseen = [cycle["foresight"] for cycle in once["cycles"] if "foresight" in cycle]
    left = [one["dtw"][0] for one in foreseen]
    assert foreseen and max(left) < 0.03  # m; it rests on the table

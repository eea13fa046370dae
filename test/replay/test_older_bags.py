"""Bags as every ROS since Humble writes them, split ones, and ROS 1: the same is found in all."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml
from painted_rig import RIG, write_config
from rosbags import rosbag1
from rosbags.rosbag2 import StoragePlugin
from rosbags.typesys import Stores, get_typestore
from simple_bags import CAMERA, run, write_bag

from wm_planner.replay.inspection import Inspection, inspect, mismatches, problems_of
from wm_planner.replay.job import ReplayJob, replay_bag

ROS = {"humble": 5, "iron": 6, "jazzy": 9, "kilted": 9}  # versions of metadata.yaml
# A text before version 9, as recorders wrote it.
FOREVER = "{sec: 9223372036, nsec: 854775807}"
QOS = f"""- history: 3
  depth: 0
  reliability: 1
  durability: 2
  deadline: {FOREVER}
  lifespan: {FOREVER}
  liveliness: 1
  liveliness_lease_duration: {FOREVER}
  avoid_ros_namespace_conventions: false
"""


def as_written_by(bag: Path, version: int) -> Path:
    """Take out of metadata and database what this version does not have yet."""
    path, databases = bag / "metadata.yaml", list(bag.glob("*.db3"))
    whole = yaml.safe_load(path.read_text())
    facts = whole["rosbag2_bagfile_information"]
    facts["version"] = version
    for entry in facts["topics_with_message_count"]:
        topic = entry["topic_metadata"]
        if version < 9:
            topic["offered_qos_profiles"] = QOS if databases else ""
        if version < 7:
            del topic["type_description_hash"]
    if version < 6:
        for name in ("custom_data", "ros_distro"):
            facts.pop(name, None)
    path.write_text(yaml.safe_dump(whole))
    for file in databases if version < 9 else ():
        with sqlite3.connect(file) as database:
            database.execute("UPDATE topics SET offered_qos_profiles = ?", (QOS,))
            if version < 7:
                database.execute("DROP TABLE message_definitions")
                database.execute("ALTER TABLE topics DROP COLUMN type_description_hash")
                database.execute("UPDATE schema SET schema_version = 3")
        database.close()
    return bag


def split(folder: Path, storage: StoragePlugin) -> Path:
    """Write three files with one metadata.yaml, as `ros2 bag record --max-bag-duration` does."""
    messages = list(run())
    parts = [messages[:30], messages[30:80], messages[80:]]
    bags = [write_bag(folder / str(i), part, storage) for i, part in enumerate(parts)]
    metadata = [yaml.safe_load((bag / "metadata.yaml").read_text()) for bag in bags]
    facts = [one["rosbag2_bagfile_information"] for one in metadata]
    files = []
    for number, bag in enumerate(bags):
        source = next(file for file in bag.iterdir() if file.suffix in (".mcap", ".db3"))
        files.append(f"split_{number}{source.suffix}")
        shutil.move(source, folder / files[-1])
        shutil.rmtree(bag)
    for index, entry in enumerate(facts[0]["topics_with_message_count"]):
        others = (one["topics_with_message_count"][index]["message_count"] for one in facts)
        entry["message_count"] = sum(others)
    facts[0]["relative_file_paths"] = files
    facts[0]["message_count"] = len(messages)
    facts[0]["duration"]["nanoseconds"] = messages[-1][0] - messages[0][0]
    facts[0].pop("files", None)
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata[0]))
    return folder


def ros_1(path: Path) -> Path:
    store = get_typestore(Stores.ROS1_NOETIC)
    connections = {}
    with rosbag1.Writer(path) as writer:
        for log_ns, topic, message in run(store=store):
            name = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, name, typestore=store)
            writer.write(connections[topic], log_ns, store.serialize_ros1(message, name))
    return path


def found_in(bag: Path) -> tuple[Inspection, list[str], list[str]]:
    found = inspect(bag)
    problems, unfit = problems_of(found), mismatches(found, RIG)
    return dataclasses.replace(found, path=Path()), problems, unfit


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return write_bag(tmp_path_factory.mktemp("bag") / "plain")


@pytest.mark.parametrize("storage", list(StoragePlugin))
@pytest.mark.parametrize("ros", ROS)
def test_a_bag_of_every_ros_is_the_same_bag(tmp_path, plain, ros, storage):
    bag = as_written_by(write_bag(tmp_path / "bag", storage=storage), ROS[ros])
    assert found_in(bag) == found_in(plain)


@pytest.mark.parametrize("storage", list(StoragePlugin))
def test_a_split_bag_is_one_bag(tmp_path, plain, storage):
    bag = split(tmp_path / "bag", storage)
    assert len(list(bag.iterdir())) == 4
    assert found_in(bag) == found_in(plain)


def test_a_ros_1_bag_is_inspected_and_replayed_as_a_ros_2_one(tmp_path, plain):
    old = ros_1(tmp_path / "run.bag")
    assert found_in(old) == found_in(plain)
    assert found_in(old)[0].topics[CAMERA.topic].count == 20
    (tmp_path / "models").mkdir()
    config = write_config(tmp_path / "models", text="planner: {candidates: 3, execute_steps: 2}\n")
    one, other = (
        replay_bag(ReplayJob(bag, tmp_path / bag.stem, config, instruction="lift both hands"))
        for bag in (old, plain)
    )
    assert one["plans"] == other["plans"] >= 2
    assert one["output_hash"] == other["output_hash"]

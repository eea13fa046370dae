"""Every storage gives the same messages, and every damage one clear error."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from rosbags import rosbag1
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosbags.typesys import Stores, get_typestore
from simple_bags import CAMERA, run, write_bag

from wm_planner.errors import DataError
from wm_planner.messages.images import image_from_compressed, image_from_message
from wm_planner.replay.bag import COMPRESSED_IMAGE, Bag
from wm_planner.robot.rig_description import find_rig

JOINT_STATES = find_rig("simulated_bimanual").topics.joint_states


def contents(path) -> list[tuple[int, str, np.ndarray]]:
    """Recording time, topic and picture or positions of every message."""
    found = []
    with Bag(path) as bag:
        for record in bag.records():
            message = bag.unpack(record)
            if record.topic == JOINT_STATES:
                found.append((record.log_ns, "joints", np.array(message.position)))
            elif record.type == COMPRESSED_IMAGE:
                found.append((record.log_ns, "picture", image_from_compressed(message)))
            else:
                found.append((record.log_ns, "picture", image_from_message(message)))
    return found


def assert_same(got, expected) -> None:
    assert [entry[:2] for entry in got] == [entry[:2] for entry in expected]
    for (_, _, one), (_, _, other) in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("bag") / "plain")


@pytest.mark.parametrize("storage", list(StoragePlugin))
@pytest.mark.parametrize("mode", [None, CompressionMode.FILE, CompressionMode.MESSAGE])
def test_every_storage_and_compression_reads_the_same(tmp_path, plain, storage, mode):
    assert_same(
        contents(write_bag(tmp_path / "bag", storage=storage, compression=mode)), contents(plain)
    )


def test_compressed_pictures_are_those_that_were_taken(tmp_path, plain):
    bag = write_bag(tmp_path / "bag", run(compressed=True))
    assert_same(contents(bag), contents(plain))


def test_a_ros_1_bag_reads_the_same(tmp_path, plain):
    store = get_typestore(Stores.ROS1_NOETIC)
    connections = {}
    with rosbag1.Writer(tmp_path / "run.bag") as writer:
        for log_ns, topic, message in run(store=store):
            name = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, name, typestore=store)
            writer.write(connections[topic], log_ns, store.serialize_ros1(message, name))
    assert_same(contents(tmp_path / "run.bag"), contents(plain))


def test_a_folder_without_metadata_is_read_from_its_files_in_order_of_recording(tmp_path, plain):
    messages = list(run())
    for number, part in enumerate((messages[:40], messages[40:])):
        bag = write_bag(tmp_path / str(number), part)
        (tmp_path / "split").mkdir(exist_ok=True)
        shutil.copy(next(bag.glob("*.mcap")), tmp_path / "split" / f"bag_{number}.mcap")
    assert_same(contents(tmp_path / "split"), contents(plain))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:5000]), "cut off"),
        (lambda file: file.write_bytes(b""), "empty"),
        (lambda file: file.write_bytes(b"nonsense" * 1000), "magic"),
        (lambda file: file.unlink(), "missing"),
        (lambda file: (file.parent / "metadata.yaml").write_text("a: [1"), "YAML"),
        (lambda file: (file.parent / "metadata.yaml").write_text("a: 1"), "metadata"),
    ],
)
def test_damage_is_told_in_one_line_that_names_the_bag(tmp_path, plain, damage, said):
    bag = tmp_path / "damaged"
    shutil.copytree(plain, bag)
    damage(next(bag.glob("*.mcap")))
    with pytest.raises(DataError, match=said) as caught, Bag(bag) as opened:
        list(opened.records())
    assert "damaged" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_bag_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "demo" / "bag").mkdir(parents=True)
    (tmp_path / "demo" / "bag" / "metadata.yaml").touch()
    for path, said in (
        (tmp_path / "nothing", "no such file"),
        (tmp_path / "notes.txt", "expected a folder"),
        (tmp_path / "folder", "neither metadata.*in the folder$"),
        (tmp_path / "demo", f"below it are {tmp_path / 'demo' / 'bag'}"),
    ):
        with pytest.raises(DataError, match=said), Bag(path):
            pass


def test_bytes_that_are_not_of_their_type_are_refused(plain):
    with Bag(plain) as bag:
        record = next(bag.records([CAMERA.topic]))
        with pytest.raises(DataError, match=f"{CAMERA.topic}.*is no sensor_msgs"):
            bag.unpack(record._replace(data=record.data[:20]))

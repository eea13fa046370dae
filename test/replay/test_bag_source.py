"""Bags as recordings: what was measured, commanded and asked for, whatever the storage."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from painted_rig import RIG, ROBOT
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from simple_bags import (
    CAMERA,
    SPEED,
    START,
    STORE,
    Message,
    commanded,
    imported,
    joints_at,
    painted,
    run,
    write_bag,
)

from wm_planner import actions
from wm_planner.datasets.recording import Recording
from wm_planner.replay.bag_source import BagSource

SECONDS = 4.0
STEP_S = 0.2
HEAD = {"head": ""}


def task(log_ns: int, instruction: str, elapsed_s: float, goal: int = 0, goals: int = 1) -> Message:
    """How a planner reports on a task."""
    nan = float("nan")
    stamp = STORE.types["builtin_interfaces/msg/Time"](*divmod(log_ns, 10**9))
    message = STORE.types["wm_planner/msg/TaskProgress"](
        stamp, goal, goals, 0, instruction, "executing", nan, nan, 0, elapsed_s, False, nan, nan,
        0.0, 0.0, nan,
        [], np.zeros(0, np.uint32),
    )  # fmt: skip
    return log_ns, "/planner/task", message


def read(bag: Path, **options: object) -> Recording:
    source = BagSource(bag, ROBOT, HEAD, **options)
    return source.read(source.keys[0])


@pytest.mark.parametrize("storage", StoragePlugin)
@pytest.mark.parametrize("compression", [None, CompressionMode.FILE, CompressionMode.MESSAGE])
@pytest.mark.parametrize("pictures", ["raw", "compressed"])
def test_every_bag_gives_the_same_episode(storage, compression, pictures, tmp_path) -> None:
    if storage is StoragePlugin.MCAP and compression is CompressionMode.FILE:
        pytest.skip("mcap compresses its chunks, never the file")
    messages = run(SECONDS, compressed=pictures == "compressed")
    bag = write_bag(tmp_path / "bag", messages, storage, compression)
    recording = read(bag, instruction="lift")
    assert recording.notes == (
        "no commands: a frame's target is where the joints were at the next",
    )
    assert len(recording.measured.stamps_ns) == round(SECONDS * 50)
    seen = recording.pictures["head"]
    for number, picture in zip((3, 7), seen.read(np.array([3, 7])), strict=True):
        np.testing.assert_array_equal(picture, painted(number / 10))
    np.testing.assert_allclose(
        recording.measured.arms, [joints_at(s) for s in np.arange(200) / 50], atol=1e-12
    )


def test_a_split_bag_is_one_recording(tmp_path) -> None:
    """rosbag2 begins another file now and then; metadata.yaml lists them."""
    messages = list(run(SECONDS))
    half = len(messages) // 2
    whole = write_bag(tmp_path / "whole", messages)
    folder = write_bag(tmp_path / "split", messages[:half])
    second = write_bag(tmp_path / "second", messages[half:])
    shutil.copy(second / "second.mcap", folder / "split_1.mcap")
    (folder / "metadata.yaml").unlink()  # and one that lost it is read all the same
    one, other = read(whole), read(folder)
    np.testing.assert_array_equal(one.measured.stamps_ns, other.measured.stamps_ns)
    np.testing.assert_array_equal(one.measured.arms, other.measured.arms)


def test_targets_are_what_was_commanded_by_the_next_frame(tmp_path) -> None:
    data = imported(tmp_path / "set", write_bag(tmp_path / "bag", commanded(SECONDS)))
    times = np.arange(len(data.action)) * STEP_S
    np.testing.assert_allclose(data.joint_position, [joints_at(s) for s in times], atol=1e-6)
    np.testing.assert_allclose(data.joint_velocity, SPEED, atol=1e-6)
    ahead = np.minimum(times + STEP_S, SECONDS - 0.02) + 0.1  # the last command is the last
    told = ROBOT.hand_poses(np.array([joints_at(s) for s in ahead]), np.full((len(times), 2), 0.08))
    reached = actions.unpack(data.hand_target)
    np.testing.assert_allclose(reached.position, told.position, atol=1e-5)
    followed = actions.decode(actions.unpack(data.hand_pose), data.action)
    np.testing.assert_allclose(followed.position, told.position, atol=1e-5)


def test_messages_that_come_twice_or_are_damaged_are_left_out_and_said(tmp_path) -> None:
    messages = []
    for number, (log_ns, topic, message) in enumerate(run(SECONDS)):
        messages.append((log_ns, topic, message))
        if number % 10 == 0:
            messages.append((log_ns + 1000, topic, message))
        if topic == CAMERA.topic and number > 100:
            broken = STORE.types["sensor_msgs/msg/Image"](
                message.header, 48, 64, "rgb8", 0, 192, np.zeros(5, np.uint8)
            )
            messages.append((log_ns + 2000, topic, broken))
    recording = read(write_bag(tmp_path / "bag", messages))
    whole = read(write_bag(tmp_path / "whole", run(SECONDS)))
    np.testing.assert_array_equal(recording.measured.arms, whole.measured.arms)
    assert any("image holds 5 bytes, expected" in note for note in recording.notes)
    assert any("their stamps are not newer" in note for note in recording.notes)
    numbers = np.arange(len(whole.pictures["head"].stamps_ns))
    pairs = zip(
        recording.pictures["head"].read(numbers), whole.pictures["head"].read(numbers), strict=True
    )
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_every_task_of_a_bag_is_a_recording_of_its_own(tmp_path) -> None:
    messages = []
    for log_ns, topic, message in run(6.0):
        messages.append((log_ns, topic, message))
        elapsed = (log_ns - START) * 1e-9
        if topic == CAMERA.topic and elapsed < 2.0:
            messages.append(task(log_ns, "lift", elapsed))
        elif topic == CAMERA.topic and 3.0 <= elapsed < 5.0:
            messages.append(task(log_ns, "lower", elapsed - 3.0))
    bag = write_bag(tmp_path / "bag", messages)
    data = imported(tmp_path / "set", bag)
    assert data.instruction.tolist() == data.task.tolist() == ["lift", "lower"]
    assert data.origin is not None and data.origin.episodes == ("bag/goal 1", "bag/goal 2")
    begin = data.joint_position[data.episode_offsets[1], 0] - joints_at(0.0)[0]
    assert begin == pytest.approx(3.0 * SPEED, abs=1e-5)


def test_every_goal_of_a_task_is_a_recording_of_its_own(tmp_path) -> None:
    messages = []
    for log_ns, topic, message in run(6.0):
        messages.append((log_ns, topic, message))
        elapsed = (log_ns - START) * 1e-9
        if topic == CAMERA.topic:
            goal = int(elapsed >= 3.5)
            messages.append(task(log_ns, ("lift", "lower")[goal], elapsed, goal, goals=2))
    data = imported(tmp_path / "set", write_bag(tmp_path / "bag", messages))
    assert data.instruction.tolist() == ["lift", "lower"]
    begin = data.joint_position[data.episode_offsets[1], 0] - joints_at(0.0)[0]
    assert begin == pytest.approx(3.5 * SPEED, abs=STEP_S * SPEED)


@pytest.mark.parametrize("shown", [True, False])
def test_a_task_that_was_believed_done_is_one_recording_and_physics_says_whether_it_was(
    shown, tmp_path
) -> None:
    # Of 40 frames: when each was told how long its task had been going on, and the last of a task.
    told = {number: (0.1 * number, number == 9) for number in range(10)}
    told |= {number: (0.1 * (number - 8), number == 39) for number in range(20, 40)}
    messages, numbers = [], itertools.count()
    for log_ns, topic, message in run(4.0):
        messages.append((log_ns, topic, message))
        number = next(numbers) if topic == CAMERA.topic else -1
        if number in told:
            elapsed_s, last = told[number]
            messages.append(task(log_ns, "lift", elapsed_s, goal=int(last)))
            messages.append((log_ns, "/rig/success", STORE.types["std_msgs/msg/Bool"](shown)))
    source = BagSource(write_bag(tmp_path / "bag", messages), ROBOT, HEAD)
    assert source.keys == ("goal 1", "goal 2")  # one each of two tasks
    assert [source.read(key).success for key in source.keys] == [shown, shown]


def test_a_bag_that_lacks_something_is_skipped_with_the_reason(tmp_path, capsys) -> None:
    def without(*left_out: str) -> Path:
        folder = tmp_path / left_out[0].strip("/").replace("/", "_")
        return write_bag(folder, run(SECONDS), change=lambda m: None if m[1] in left_out else m)

    blind, numb = without(CAMERA.topic), without(RIG.topics.joint_states)
    whole = write_bag(tmp_path / "whole", run(SECONDS))
    cut = tmp_path / "cut.mcap"
    data = (whole / "whole.mcap").read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    imported(tmp_path / "set", blind, numb, whole, cut)
    said = capsys.readouterr().out
    assert f"skipped: {blind}: has no pictures on {CAMERA.topic}; it has none" in said
    assert f"skipped: {numb}: has no joint states on /joint_states" in said
    assert f"skipped: {cut}: " in said and "recording was cut off" in said
    assert "used 1, of them repaired 1; skipped 3" in said

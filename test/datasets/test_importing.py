"""Recordings of other people's robots become episodes: by name, by kinematics, in phases."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from humanoid_data import humanoid_data

from wm_planner import actions
from wm_planner.cli import main
from wm_planner.datasets.importing import import_recordings, make_episode, with_videos
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.lerobot_v21 import LeRobotV21, RecordedJoints
from wm_planner.datasets.origin import Origin
from wm_planner.datasets.video import write_video
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel

FPS, STRIDE = 30, 6
CAMERAS = {"head": "cam_high"}
LENGTHS = {0: 31, 1: 40, 3: 29}
WITHOUT_VIDEO = 1
KEY = "observation.images.cam_high"
INSTRUCTION = "Pick up the can."


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(find_rig("unitree_g1_inspire"))


def recorded(robot: RobotModel, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Measured and commanded joints, shape (N, 26) each, in the order of the rig's names."""
    rig, generator = robot.rig, np.random.default_rng(number)
    seconds = np.arange(LENGTHS[number])[:, None] / FPS
    speed = generator.uniform(-0.4, 0.4, 26)
    rest = np.concatenate([rig.home, np.full(12, 0.7)])
    return rest + speed * seconds, rest + speed * (seconds + 0.15)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, robot: RobotModel) -> Path:
    """A LeRobot v2.1 dataset whose joints stand in another order than the rig's."""
    root = tmp_path_factory.mktemp("published")
    names = list(robot.rig.message_joint_names)
    order = np.random.default_rng(9).permutation(len(names))
    shuffled = [names[i] for i in order]
    features = {key: {"dtype": "float32", "names": [shuffled]} for key in ("observation.state",)}
    features["action"] = {"dtype": "float32", "names": {"motors": shuffled}}
    features[KEY] = {"dtype": "video", "names": ["height", "width", "channel"]}
    write(root / "meta" / "info.json", json.dumps({
        "codebase_version": "v2.1", "fps": FPS, "chunks_size": 1000, "features": features,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/"
        "episode_{episode_index:06d}.mp4",
    }))  # fmt: skip
    rows = [{"episode_index": n, "tasks": [INSTRUCTION], "length": 9} for n in (*LENGTHS, 7)]
    write(root / "meta" / "episodes.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    for number, length in LENGTHS.items():
        state, action = (values[:, order] for values in recorded(robot, number))
        table = pa.table({"observation.state": list(state), "action": list(action)})
        path = root / "data" / "chunk-000" / f"episode_{number:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        if number != WITHOUT_VIDEO:
            video = root / "videos" / "chunk-000" / KEY / f"episode_{number:06d}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            write_video(video, [shades(length)], FPS)
    return root


def shades(length: int) -> np.ndarray:
    """Frames that tell their number by their brightness, shape (N, 48, 64, 3)."""
    levels = np.repeat(4 * np.arange(length, dtype=np.uint8) + 40, 48 * 64 * 3)
    return levels.reshape(length, 48, 64, 3)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def imported(published: Path, root: Path, robot: RobotModel, phases: int) -> LeRobotDataset:
    source = LeRobotV21(published)
    numbers = with_videos(source, source.numbers, CAMERAS)
    origin = Origin("example.org/cans", "MIT", numbers, phases)
    import_recordings(source, root, robot, CAMERAS, (48, 64), 5, phases, origin)
    return LeRobotDataset(root)


def test_actions_lead_from_measured_poses_to_those_that_were_commanded(robot) -> None:
    """Whatever the joints did, following an action ends where kinematics put the command."""
    generator = np.random.default_rng(3)
    limits = 0.5 * robot.position_lower, 0.5 * robot.position_upper
    arms = generator.uniform(*limits, (2, 40, 14))
    hands = generator.uniform(0.4, 0.9, (2, 40, 12))
    state, action = np.concatenate([arms, hands], axis=-1)
    joints = RecordedJoints(0, INSTRUCTION, state, action)
    pictures = {"head": np.zeros((40, 48, 64, 3), np.uint8)}
    episode = make_episode(joints, pictures, robot, FPS, STRIDE, 2, 0)
    start, reached = actions.unpack(episode.hand_pose), actions.unpack(episode.hand_target)
    followed = actions.decode(start, episode.action)
    np.testing.assert_allclose(followed.position, reached.position, atol=1e-6)
    np.testing.assert_allclose(followed.rotation, reached.rotation, atol=1e-5)
    rows = np.arange(2, 40, STRIDE)
    position, rotation = robot.forward_kinematics(state[rows, :14])
    np.testing.assert_allclose(start.position, position, atol=1e-6)
    np.testing.assert_allclose(start.rotation, rotation, atol=1e-5)
    due = np.minimum(rows + STRIDE, 39)  # commanded when the next frame was taken
    position, rotation = robot.forward_kinematics(action[due, :14])
    np.testing.assert_allclose(reached.position, position, atol=1e-6)
    # The chain of actions through all targets ends at the last of them.
    chain = actions.difference(start[0], reached)
    np.testing.assert_allclose(
        actions.integrate(start[0], chain).position, reached.position, atol=1e-6
    )


def test_an_import_reads_joints_by_name_and_keeps_their_number(published, tmp_path, robot) -> None:
    data = imported(published, tmp_path / "set", robot, 1)
    assert data.joint_names == robot.joint_names
    assert (data.fps, data.robot_type) == (5, "unitree_g1_inspire")
    expected = [recorded(robot, number)[0][::STRIDE, :14] for number in (0, 3)]
    np.testing.assert_allclose(data.joint_position, np.concatenate(expected), atol=1e-5)
    poses = actions.unpack(data.hand_pose)
    position, _ = robot.forward_kinematics(data.joint_position)
    np.testing.assert_allclose(poses.position, position, atol=1e-5)
    assert (data.gripper_width >= 0).all() and (data.gripper_width <= 0.14).all()


def test_phases_together_hold_every_recorded_row_once(published, tmp_path, robot) -> None:
    data = imported(published, tmp_path / "set", robot, STRIDE)
    assert len(data) == 2 * STRIDE and len(set(data.seed)) == len(data)
    ends = data.episode_offsets[STRIDE]
    rows = sorted(data.joint_position[:ends, 0])
    every = sorted(recorded(robot, 0)[0][:, 0])
    np.testing.assert_allclose(rows, every, atol=1e-5)


def test_pictures_belong_to_the_rows_that_they_were_taken_with(published, tmp_path, robot) -> None:
    data = imported(published, tmp_path / "set", robot, 3)
    for episode in range(3):
        level = data.frames("head", episode).mean(axis=(1, 2, 3))
        expected = 40 + 4 * np.arange(episode, LENGTHS[0], STRIDE)
        np.testing.assert_allclose(level, expected, atol=2)


def test_recordings_without_a_video_are_skipped_and_named(published, tmp_path, capsys) -> None:
    words = ["import", str(published), "--out", str(tmp_path / "set"), "--rig"]
    words += ["unitree_g1_inspire", "--cameras", "head=cam_high", "--size", "48", "64"]
    words += ["--published-at", "example.org/cans", "--licence", "MIT"]
    assert main(words) == 0
    assert "skipped, their videos are missing: 1\n" in capsys.readouterr().out
    data = LeRobotDataset(tmp_path / "set")
    assert data.origin is not None and data.origin.episodes == (0, 3)
    card = (tmp_path / "set" / "README.md").read_text()
    assert "license: mit" in card and "example.org/cans" in card
    assert main([*words, "--episodes", "1"]) == 2
    assert "no episode that was asked for has its videos" in capsys.readouterr().err


def test_a_joint_that_was_not_recorded_is_named(published, robot) -> None:
    source = LeRobotV21(published)
    with pytest.raises(DataError, match=r"lacks left_shoulder_pitch_joint, .*; it has k"):
        source.joints(0, robot.joint_names)
    with pytest.raises(DataError, match="no rows of episode 7"):
        source.joints(7, robot.rig.message_joint_names)


def test_frame_rates_that_do_not_divide_are_refused(published, tmp_path, robot) -> None:
    origin = Origin("example.org", "MIT", (0,), 1)
    for fps, phases in ((7, 1), (5, 7), (60, 1)):
        with pytest.raises(ConfigurationError, match="expected a divisor"):
            import_recordings(
                LeRobotV21(published), tmp_path / "set", robot, CAMERAS, (48, 64), fps, phases,
                origin,
            )  # fmt: skip


def test_shards_of_different_robots_do_not_make_a_dataset(published, tmp_path, robot) -> None:
    from wm_planner.datasets.lerobot_index import finish
    from wm_planner.datasets.lerobot_writer import write_shard

    joints = LeRobotV21(published).joints(0, robot.rig.message_joint_names)
    pictures = {"head": shades(len(joints.state))}
    episode = make_episode(joints, pictures, robot, FPS, STRIDE, 0, 0)
    other = dataclasses.replace(episode, joint_names=tuple("abcdefghijklmn"))
    with pytest.raises(DataError, match="differ in their joints"):
        write_shard(tmp_path, 0, [episode, other], 5)
    write_shard(tmp_path, 0, [episode], 5)
    write_shard(tmp_path, 1, [other], 5)
    with pytest.raises(DataError, match="shards differ in the arms' joints"):
        finish(tmp_path, "two_robots", 5)


def test_a_published_humanoid_can_be_imported_but_for_its_missing_videos(tmp_path, robot) -> None:
    source = LeRobotV21(humanoid_data() / "lerobot_v21")
    assert with_videos(source, (0, 1, 3), CAMERAS) == (1,)
    origin = Origin("example.org", "MIT", (29,), 1)
    import_recordings(source, tmp_path / "set", robot, CAMERAS, (96, 128), 5, 1, origin)
    data = LeRobotDataset(tmp_path / "set")
    assert data.frames("head").shape == (37, 96, 128, 3)
    left, right = np.ptp(actions.unpack(data.hand_pose).position, axis=0)
    assert left.max() < 0.02 < 0.05 < right.max()  # m: only the right hand does anything

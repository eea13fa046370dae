"""Recordings of other people's robots become episodes: by name, by kinematics, in phases."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from humanoid_data import humanoid_data
from published import LENGTHS, SIZE, STRIDE, numbers_shown, publish, recorded

from wm_planner import actions
from wm_planner.datasets.importing import ImportSettings, import_recordings
from wm_planner.datasets.lerobot_index import finish
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.lerobot_source import LeRobotSource
from wm_planner.datasets.lerobot_writer import write_shard
from wm_planner.datasets.recording import JointTrack, Pictures, Recording
from wm_planner.datasets.resampling import make_episode
from wm_planner.datasets.splitting import SETS, place
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.observing.joint_reader import split_joints
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel

CAMERAS = {"head": "cam_high"}
ORIGIN = ("example.org/cans", "MIT")
SMALL = ImportSettings(height=SIZE[0], width=SIZE[1])


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(find_rig("unitree_g1_inspire"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, robot: RobotModel) -> Path:
    return publish(tmp_path_factory.mktemp("published") / "cans", robot, without_video=[1])


def imported(
    published: Path, root: Path, robot: RobotModel, settings: ImportSettings = SMALL
) -> LeRobotDataset:
    source = LeRobotSource(published, robot, CAMERAS)
    import_recordings([source], root, robot, settings, ORIGIN)
    return LeRobotDataset(root)


def moving(
    robot: RobotModel, rate: float, seconds: float = 4.0, offset_s: float = 0.0
) -> Recording:
    """Joints at 100 Hz on sine waves; pictures at a rate that show when they were taken."""
    generator = np.random.default_rng(3)
    amplitude, phase = generator.uniform(0.05, 0.2, 26), generator.uniform(0, 6, 26)
    rest = np.concatenate([robot.rig.home, np.full(12, 0.7)])

    def joints(times: np.ndarray, ahead_s: float) -> JointTrack:
        values = rest + amplitude * np.sin(times[:, None] + ahead_s + phase)
        return JointTrack(np.round(times * 1e9).astype(np.int64), *split_joints(robot.rig, values))

    times = np.arange(round(seconds * 100)) / 100
    shown = np.arange(offset_s, seconds - 0.05, 1 / rate)
    read = lambda numbers: (np.full((*SIZE, 3), 40 * shown[n], np.uint8) for n in numbers)  # noqa: E731
    pictures = Pictures(np.round(shown * 1e9).astype(np.int64), read)
    return Recording("move", joints(times, 0.0), joints(times, 0.2), {"head": pictures})


@pytest.mark.parametrize("rate", [5.0, 6.7, 10.0, 24.0, 30.0, 50.0])
def test_actions_lead_from_measured_poses_to_those_commanded_when_the_next_frame_was_taken(
    robot, rate
) -> None:
    """Whatever the joints did and the camera's rate is: following an action ends at the command."""
    episode = make_episode(moving(robot, rate, offset_s=0.013), robot, SIZE, 5, 0, 0)
    start, reached = actions.unpack(episode.hand_pose), actions.unpack(episode.hand_target)
    followed = actions.decode(start, episode.action)
    np.testing.assert_allclose(followed.position, reached.position, atol=1e-6)
    np.testing.assert_allclose(followed.rotation, reached.rotation, atol=1e-5)
    # The chain of actions through all targets ends at the last of them.
    chain = actions.difference(start[0], reached)
    np.testing.assert_allclose(
        actions.integrate(start[0], chain).position, reached.position, atol=1e-6
    )
    # The brightness tells when the picture was taken: joints are those of that time.
    taken_s = episode.images["head"][:, 0, 0, 0] / 40
    exact = moving(robot, 1000.0).measured
    rows = np.searchsorted(exact.stamps_ns, np.round(taken_s * 1e9))
    near = np.abs(episode.joint_position - exact.arms[np.minimum(rows, len(exact.arms) - 1)])
    assert near.max() < 0.2 * (1 / 40 + 0.01) + 1e-3  # rad: speed times how exactly time is told
    assert len(episode) >= 4 * 5 - 2
    # Commands are the motion 0.2 s on: what is commanded for the next frame is two frames on.
    ahead = np.abs(reached.position[:-2] - start.position[2:])
    assert ahead.max() < (0.035 if rate == 6.7 else 0.012)  # m: frames may be off their grid


def test_a_gap_ends_an_episode_and_the_longest_stretch_is_kept(robot) -> None:
    whole = moving(robot, 10.0, 6.0)
    pictures = whole.pictures["head"]
    silent = (pictures.stamps_ns < 2.05e9) | (pictures.stamps_ns > 2.95e9)
    kept = np.flatnonzero(silent)
    cut = Pictures(pictures.stamps_ns[kept], lambda n: pictures.read(kept[n]))
    recording = dataclasses.replace(whole, pictures={"head": cut})
    episode = make_episode(recording, robot, SIZE, 5, 0, 0)
    taken_s = episode.images["head"][:, 0, 0, 0] / 40
    assert taken_s.min() > 2.9 and len(episode) == 15  # 3.0 to 5.8 s


def test_an_import_reads_joints_by_name_and_keeps_their_number(published, tmp_path, robot) -> None:
    data = imported(published, tmp_path / "set", robot)
    assert data.joint_names == robot.joint_names
    assert (data.fps, data.robot_type) == (5, "unitree_g1_inspire")
    expected = [recorded(robot, number)[0][::STRIDE, :14] for number in (0, 3)]
    np.testing.assert_allclose(data.joint_position, np.concatenate(expected), atol=1e-5)
    poses = actions.unpack(data.hand_pose)
    position, _ = robot.forward_kinematics(data.joint_position)
    np.testing.assert_allclose(poses.position, position, atol=1e-5)
    assert (data.gripper_width >= 0).all() and (data.gripper_width <= 0.14).all()
    told = recorded(robot, 0)[1][np.minimum(np.arange(0, 31, STRIDE) + STRIDE, 30)]
    position, _ = robot.forward_kinematics(told[:, :14])
    reached = actions.unpack(data.hand_target[: data.episode_offsets[1]])
    np.testing.assert_allclose(reached.position, position, atol=1e-5)
    assert data.origin is not None and data.origin.episodes == ("cans/0", "cans/3")
    card = (tmp_path / "set" / "README.md").read_text()
    assert "license: mit" in card and "example.org/cans" in card


def test_phases_together_hold_every_recorded_row_once(published, tmp_path, robot) -> None:
    data = imported(published, tmp_path / "set", robot, dataclasses.replace(SMALL, phases=STRIDE))
    assert len(data) == 2 * STRIDE and len(set(data.seed)) == len(data)
    assert list(data.recording) == [0] * STRIDE + [1] * STRIDE
    assert data.recording_names == ("cans/0", "cans/3")
    ends = data.episode_offsets[STRIDE]
    rows = sorted(data.joint_position[:ends, 0])
    np.testing.assert_allclose(rows, sorted(recorded(robot, 0)[0][:, 0]), atol=1e-5)
    for episode in range(3):  # and pictures belong to the rows that they were taken with
        shown = numbers_shown(data.frames("head", episode))
        np.testing.assert_allclose(shown, np.arange(episode, LENGTHS[0], STRIDE), atol=0.5)


def test_more_phases_than_pictures_between_two_frames_are_not_made(published, tmp_path, robot):
    said: list[str] = []
    source = LeRobotSource(published, robot, CAMERAS)
    with pytest.raises(DataError, match="nothing could be used: 3 recordings skipped"):
        import_recordings(
            [source], tmp_path / "set", robot, dataclasses.replace(SMALL, phases=7), ORIGIN,
            say=said.append,
        )  # fmt: skip
    assert "skipped: cans/0: has 6 pictures a frame, 7 phases wanted" in said


def test_the_same_names_are_split_the_same_way_and_every_share_gets_something() -> None:
    names = [f"cans/{number}" for number in range(20)]
    placed = dict(zip(names, place(names, (0.8, 0.1, 0.1)), strict=True))
    assert [list(placed.values()).count(name) for name in SETS] == [16, 2, 2]
    again = place(names[::-1], (0.8, 0.1, 0.1))
    assert placed == dict(zip(names[::-1], again, strict=True))
    assert sorted(place(names[:3], (0.98, 0.01, 0.01))) == sorted(SETS)
    assert set(place(names, (1, 0, 0))) == {"train"}
    assert place([], (0.8, 0.1, 0.1)) == []


def test_a_split_import_makes_a_dataset_of_each_part(tmp_path, robot) -> None:
    sources = [
        LeRobotSource(publish(tmp_path / "cans", robot), robot, CAMERAS),
        LeRobotSource(publish(tmp_path / "copy" / "cans", robot), robot, CAMERAS),
    ]
    said: list[str] = []
    tally = import_recordings(
        sources, tmp_path / "set", robot, SMALL, ORIGIN, (0.4, 0.3, 0.3), said.append
    )
    assert tally.recordings == dict.fromkeys(SETS, 1)
    # The second folder holds the same motions: they must not end up on both sides of the split.
    assert tally.skipped == 3 and any("has the same joints as cans/0" in line for line in said)
    parts = [LeRobotDataset(tmp_path / "set" / name) for name in SETS]
    assert {part.origin.episodes for part in parts} == {("cans/0",), ("cans/1",), ("cans/3",)}
    with pytest.raises(ConfigurationError, match="expected shares of train, validation, test"):
        import_recordings(sources, tmp_path / "other", robot, SMALL, ORIGIN, (1.0, -1.0, 1.0))


def test_shards_of_different_robots_do_not_make_a_dataset(tmp_path, robot) -> None:
    episode = make_episode(moving(robot, 10.0), robot, SIZE, 5, 0, 0)
    other = dataclasses.replace(episode, joint_names=tuple("abcdefghijklmn"))
    with pytest.raises(DataError, match="differ in their joints"):
        write_shard(tmp_path, 0, [episode, other], 5)
    write_shard(tmp_path, 0, [episode], 5)
    write_shard(tmp_path, 1, [other], 5)
    with pytest.raises(DataError, match="shards differ in the arms' joints"):
        finish(tmp_path, "two_robots", 5)


def test_a_published_humanoid_can_be_imported_but_for_its_missing_videos(tmp_path, robot) -> None:
    source = LeRobotSource(humanoid_data() / "lerobot_v21", robot, CAMERAS, "", (1, 3))
    tally = import_recordings([source], tmp_path / "set", robot, ImportSettings(), ORIGIN)
    assert (tally.recordings, tally.skipped) == ({"": 1}, 1)
    data = LeRobotDataset(tmp_path / "set")
    assert data.frames("head").shape == (66, 96, 128, 3)
    left, right = np.ptp(actions.unpack(data.hand_pose).position, axis=0)
    assert left.max() < 0.02 < 0.05 < right.max()  # m: only the right hand does anything

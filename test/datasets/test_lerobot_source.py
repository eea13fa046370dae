"""LeRobot datasets of every version, in every state in which they are published."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import (
    CODECS,
    FPS,
    INSTRUCTION,
    KEY,
    LENGTHS,
    SIZE,
    film,
    numbers_shown,
    publish,
    recorded,
    shades,
)

from wm_planner.cli import main
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.lerobot_source import LeRobotSource, flat_names
from wm_planner.datasets.recording import Recording, newer
from wm_planner.datasets.video import frame_times, frames_at
from wm_planner.errors import DataError, UnknownNameError
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel

CAMERAS = {"head": "cam_high"}
VERSIONS = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(find_rig("unitree_g1_inspire"))


@pytest.fixture
def dataset(tmp_path: Path, robot: RobotModel) -> Path:
    return publish(tmp_path / "cans", robot)


def read(root: Path, robot: RobotModel, number: int = 0, **options: object) -> Recording:
    return LeRobotSource(root, robot, CAMERAS, **options).read(str(number))


def shown(recording: Recording, numbers: np.ndarray) -> np.ndarray:
    return numbers_shown(np.stack(list(recording.pictures["head"].read(numbers))))


def command(source: Path, out: Path, *more: str) -> list[str]:
    words = ["import", str(source), "--out", str(out), "--rig", "unitree_g1_inspire"]
    words += ["--size", *map(str, SIZE), "--published-at", "example.org/cans", "--licence", "MIT"]
    return [*words, "--cameras", "head=cam_high", *more]


def changed_info(root: Path, **changes: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gives_the_same_joints_and_pictures(version, tmp_path, robot) -> None:
    root = publish(tmp_path / "cans", robot, version)
    source = LeRobotSource(root, robot, CAMERAS)
    assert source.keys == ("0", "1", "3")
    for number, length in LENGTHS.items():
        recording = source.read(str(number))
        assert recording.instruction == INSTRUCTION and recording.notes == ()
        state, action = recorded(robot, number)
        np.testing.assert_allclose(recording.measured.arms, state[:, :14], atol=1e-6)
        assert recording.commanded is not None
        np.testing.assert_allclose(recording.commanded.arms, action[:, :14], atol=1e-6)
        assert len(recording.pictures["head"].stamps_ns) == length
        wanted = np.array([0, 5, 6, length - 1])
        np.testing.assert_allclose(shown(recording, wanted), wanted, atol=0.5)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_decodes_frame_by_frame_from_wherever_one_begins(
    version, codec, tmp_path, robot
) -> None:
    root = publish(tmp_path / "cans", robot, version, codec)
    for number, length in LENGTHS.items():
        recording = read(root, robot, number)
        for first in (0, 7, 21):
            wanted = np.arange(first, length, 3)
            np.testing.assert_allclose(shown(recording, wanted), wanted, atol=0.6)


def test_frames_are_found_by_their_times_in_any_codec(tmp_path) -> None:
    for codec in CODECS:
        path = film(tmp_path / f"{codec}.mp4", shades(25), codec)
        stamps, unit = frame_times(path)
        np.testing.assert_allclose(np.diff(stamps) * float(unit), 1 / FPS, atol=1e-4)
        np.testing.assert_allclose(numbers_shown(list(frames_at(path, stamps[[24]]))), 24, atol=0.6)


def test_a_dataset_is_found_from_the_folders_around_it(dataset, robot) -> None:
    for path in (dataset, dataset / "data", dataset / "data" / "chunk-000", dataset.parent):
        assert LeRobotSource(path, robot, CAMERAS).keys == ("0", "1", "3")
    shutil.copytree(dataset, dataset.parent / "other")
    with pytest.raises(DataError, match="holds several datasets: cans, other"):
        LeRobotSource(dataset.parent, robot, CAMERAS)


def test_files_in_other_folders_than_the_template_says_are_found(dataset, robot) -> None:
    before = read(dataset, robot)
    (dataset / "data" / "chunk-000").rename(dataset / "data" / "chunk-007")
    (dataset / "videos" / "cam_high").mkdir()
    for path in list((dataset / "videos" / "chunk-000" / KEY).iterdir()):
        path.rename(dataset / "videos" / "cam_high" / path.name)
    after = read(dataset, robot)
    np.testing.assert_array_equal(after.measured.arms, before.measured.arms)
    np.testing.assert_allclose(shown(after, np.arange(31)), np.arange(31), atol=0.5)


@pytest.mark.parametrize("names", [
    ["a", "b"], [["a", "b"]], {"motors": ["a", "b"]}, {"left": ["a"], "right": {"arm": ["b"]}},
    {"b": 1, "a": 0},
])  # fmt: skip
def test_names_are_found_however_deep_they_lie(names) -> None:
    assert flat_names(names) == ["a", "b"]


def test_no_names_are_no_names() -> None:
    assert flat_names(None) == [] and flat_names([]) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_task_is_filled_in_from_the_command_line_or_said(version, tmp_path, robot) -> None:
    root = publish(tmp_path / "cans", robot, version, instruction="")
    assert read(root, robot).notes == ("no instruction",)
    filled = read(root, robot, instruction="lift it")
    assert (filled.instruction, filled.notes) == ("lift it", ())


def test_an_episode_without_a_task_says_what_its_rows_say(dataset, robot) -> None:
    path = dataset / "meta" / "episodes.jsonl"
    path.write_text('{"episode_index": 0, "tasks": []}\n{"episode_ind')  # and a killed writer's
    source = LeRobotSource(dataset, robot, CAMERAS)
    assert source.keys == ("0", "1", "3")
    assert source.read("0").instruction == source.read("3").instruction == INSTRUCTION


def test_rows_that_come_twice_are_left_out_and_stamps_that_come_twice_do_not_matter(
    dataset, robot
) -> None:
    path = dataset / "data" / "chunk-000" / "episode_000000.parquet"
    table = pq.read_table(path)
    twice = pa.concat_tables([table.slice(0, 12), table.slice(10)])
    stamps = np.repeat(np.arange(17) / FPS, 2)[: len(twice)]
    index = twice.column_names.index("timestamp")
    pq.write_table(twice.set_column(index, "timestamp", pa.array(stamps)), path)
    recording = read(dataset, robot)
    assert recording.notes[0] == "2 rows left out, their frame_index comes twice"
    np.testing.assert_allclose(recording.measured.arms, recorded(robot, 0)[0][:, :14], atol=1e-6)
    assert (np.diff(recording.measured.stamps_ns) > 0).all()
    # 31 frames for 33 rows: by time they meet the rows that are left.
    np.testing.assert_allclose(shown(recording, np.arange(31)), np.arange(31), atol=0.5)


def test_only_stamps_that_are_newer_than_all_before_are_taken() -> None:
    stamps = np.array([5, 5, 6, 4, 6, 7, 9, 8, 10])
    taken = stamps[newer(stamps)]
    assert taken.tolist() == [5, 6, 7, 9, 10]
    assert newer(np.zeros(0, np.int64)).shape == (0,)


def test_a_video_that_is_shorter_than_its_rows_shortens_the_episode(
    dataset, tmp_path, robot
) -> None:
    film(dataset / "videos" / "chunk-000" / KEY / "episode_000001.mp4", shades(20))
    assert main(command(dataset, tmp_path / "set", "--episodes", "1")) == 0
    data = LeRobotDataset(tmp_path / "set")
    np.testing.assert_allclose(numbers_shown(data.frames("head")), [0, 6, 12, 18], atol=0.5)
    np.testing.assert_allclose(
        data.joint_position, recorded(robot, 1)[0][[0, 6, 12, 18], :14], atol=1e-5
    )


def test_pictures_that_lie_in_the_table_are_read(dataset, robot) -> None:
    import cv2

    changed = json.loads((dataset / "meta" / "info.json").read_text())["features"]
    changed[KEY] = {"dtype": "image"}
    changed_info(dataset, features=changed)
    path = dataset / "data" / "chunk-000" / "episode_000000.parquet"
    frames = shades(31) // np.array([1, 2, 4], np.uint8)  # not the same in red and blue
    coded = [{"bytes": cv2.imencode(".png", f[..., ::-1])[1].tobytes(), "path": ""} for f in frames]
    pq.write_table(pq.read_table(path).append_column(KEY, pa.array(coded)), path)
    pictures = read(dataset, robot).pictures["head"]
    np.testing.assert_array_equal(np.stack(list(pictures.read(np.arange(31)))), frames)


def test_what_cannot_be_used_is_skipped_with_a_reason_and_the_rest_is_imported(
    dataset, tmp_path, capsys
) -> None:
    videos = dataset / "videos" / "chunk-000" / KEY
    (videos / "episode_000000.mp4").write_bytes(b"no video")
    whole = (videos / "episode_000001.mp4").read_bytes()
    (videos / "episode_000001.mp4").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "set"
    assert main(command(dataset, out)) == 0
    said = capsys.readouterr()
    lines = (said.out + said.err).splitlines()
    skipped = [line for line in lines if line.startswith("skipped: ")]
    assert [line.split(": ")[1] for line in skipped] == ["cans/0", "cans/1"]
    assert all("cannot be read as a video" in line for line in skipped)
    assert f"{out}: 1 recordings, 1 episodes" in lines
    assert "used 1, of them repaired 0; skipped 2" in lines
    assert len(LeRobotDataset(out)) == 1
    assert main(command(dataset, out)) == 2
    assert "exists: choose another --out" in capsys.readouterr().err
    assert main(command(dataset, tmp_path / "none", "--episodes", "0-1")) == 2
    assert "nothing could be used: 2 recordings skipped" in capsys.readouterr().err
    assert not list(tmp_path.glob("none*"))


@pytest.mark.parametrize("version", VERSIONS)
def test_episodes_without_a_video_are_named(version, tmp_path, robot, capsys) -> None:
    root = publish(tmp_path / "cans", robot, version, without_video=[1])
    out = tmp_path / "set"
    assert main(command(root, out, "--split", "0.5", "0.5", "0")) == 0
    said = capsys.readouterr()
    assert "skipped: cans/1: " in said.out + said.err and KEY in said.out + said.err
    parts = [LeRobotDataset(out / name) for name in ("train", "validation")]
    assert sorted(len(part) for part in parts) == [1, 1] and not (out / "test").exists()
    # Version 3.0 keeps all pictures in one film: each episode shows its own.
    for part in parts:
        expected = np.arange(0, LENGTHS[int(part.origin.episodes[0][-1])], 6)
        np.testing.assert_allclose(numbers_shown(part.frames("head")), expected, atol=0.6)


def test_joints_that_were_not_recorded_or_are_in_degrees_are_named(dataset, robot) -> None:
    path = dataset / "data" / "chunk-000" / "episode_000000.parquet"
    table = pq.read_table(path)
    state = np.degrees(np.stack(table["observation.state"].to_numpy()))
    pq.write_table(table.set_column(0, "observation.state", pa.array(list(state))), path)
    with pytest.raises(DataError, match=r"its limits are .* rad: degrees?"):
        read(dataset, robot)
    state[:, 3] = np.nan
    pq.write_table(table.set_column(0, "observation.state", pa.array(list(state))), path)
    with pytest.raises(DataError, match=r"observation\.state holds a value that is not finite"):
        read(dataset, robot)
    features = json.loads((dataset / "meta" / "info.json").read_text())["features"]
    features["action"]["names"] = [f"motor_{i}" for i in range(26)]
    changed_info(dataset, features=features)
    with pytest.raises(DataError, match=r"action lacks kLeft.*; it has motor_0, .* message_names"):
        read(dataset, robot, 1)


def test_metadata_that_cannot_be_used_is_named(dataset, robot) -> None:
    for change, said in (
        ({"codebase_version": "v1.6"}, "codebase_version is v1.6, expected v2.0, v2.1 or v3.0"),
        ({"fps": 0}, "cannot be used"),
        ({"features": {"target.hand_pose": {}}}, "is a dataset of this project already"),
    ):
        before = (dataset / "meta" / "info.json").read_text()
        changed_info(dataset, **change)
        with pytest.raises(DataError, match=said):
            LeRobotSource(dataset, robot, CAMERAS)
        (dataset / "meta" / "info.json").write_text(before)
    with pytest.raises(UnknownNameError, match=r"camera of cans 'cam_hihg'. Did you mean"):
        LeRobotSource(dataset, robot, {"head": "cam_hihg"})
    empty = dataset.parent / "empty" / "in" / "here"
    empty.mkdir(parents=True)
    with pytest.raises(DataError, match=r"is not a LeRobot dataset: it has no meta/info\.json"):
        LeRobotSource(empty, robot, CAMERAS)


def test_that_writing_av1_leaves_this_process_an_ordinary_one(tmp_path) -> None:
    film(tmp_path / "a.mp4", shades(5), "av1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER

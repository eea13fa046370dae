"""Writing and reading a dataset, and the layout that lerobot expects."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from episodes import make_episode, make_fields

from wm_planner.datasets import lerobot_format as layout
from wm_planner.datasets.episode import Episode
from wm_planner.datasets.lerobot_index import begin, finish
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.lerobot_writer import shard_seeds, write_shard
from wm_planner.errors import DataError, UnknownNameError


@pytest.fixture
def episodes():
    """Two shards: three episodes with two objects, two with another one."""
    kinds = ("expert", "recovery", "play")
    first = [make_episode(seed, kind=kind) for seed, kind in enumerate(kinds)]
    second = [make_episode(seed, task="fold", objects=("towel", "cube")) for seed in (3, 4)]
    return [first, second]


@pytest.fixture
def root(tmp_path, episodes):
    for number, shard in enumerate(episodes):
        write_shard(tmp_path / "set", number, shard, fps=5)
    finish(tmp_path / "set", "two_arms", fps=5)
    return tmp_path / "set"


def test_that_what_was_written_is_read(root, episodes):
    dataset = LeRobotDataset(root)
    flat = [episode for shard in episodes for episode in shard]
    assert len(dataset) == 5
    assert (dataset.fps, dataset.robot_type, dataset.cameras) == (5, "two_arms", {"head": (48, 64)})
    assert dataset.episode_offsets.tolist() == [0, *np.cumsum([len(e) for e in flat])]
    for column in layout.COLUMNS:
        true = np.concatenate([getattr(episode, column.field) for episode in flat])
        np.testing.assert_array_equal(getattr(dataset, column.field), true)
    assert dataset.task.tolist() == [e.task for e in flat]
    assert dataset.instruction.tolist() == [e.instruction for e in flat]
    assert dataset.kind.tolist() == [e.kind for e in flat]
    assert dataset.success.tolist() == [e.success for e in flat]
    assert dataset.seed.tolist() == [0, 1, 2, 3, 4]


def test_that_objects_of_different_scenes_share_columns(root, episodes):
    dataset = LeRobotDataset(root)
    assert dataset.object_names == ("cube", "tray", "towel")
    split = sum(len(episode) for episode in episodes[0])
    assert dataset.object_visible[:split].all(0).tolist() == [True, True, False]
    assert dataset.object_visible[split:].all(0).tolist() == [True, False, True]
    true = np.concatenate([e.object_position for e in episodes[1]])  # towel, cube
    np.testing.assert_array_equal(dataset.object_position[split:, [2, 0]], true)
    assert (dataset.object_position[split:, 1] == 0).all()


def test_that_frames_are_those_of_the_episode(root, episodes):
    dataset = LeRobotDataset(root)
    assert dataset.frames("head").shape == (dataset.episode_offsets[-1], 48, 64, 3)
    for index, episode in enumerate([e for shard in episodes for e in shard]):
        error = dataset.frames("head", index).astype(float) - episode.images["head"]
        assert np.sqrt((error**2).mean()) < 3
    with pytest.raises(UnknownNameError, match="camera 'heat'"):
        dataset.frames("heat")


def test_that_the_frame_cache_is_kept_until_the_videos_change(root, episodes):
    LeRobotDataset(root).frames("head")
    (cache,) = (root / ".frames").iterdir()
    stamp = cache.stat().st_mtime_ns
    LeRobotDataset(root).frames("head")
    assert cache.stat().st_mtime_ns == stamp
    write_shard(root, 1, [make_episode(9), make_episode(10)], fps=5)
    finish(root, "two_arms", fps=5)
    frames = LeRobotDataset(root).frames("head")
    assert [path.name for path in (root / ".frames").iterdir()] != [cache.name]
    assert len(frames) == LeRobotDataset(root).episode_offsets[-1]


def test_that_finishing_twice_changes_nothing(root):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert LeRobotDataset(root).content_hash == LeRobotDataset(root).content_hash
    finish(root, "two_arms", fps=5)
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_that_every_episode_recorded_here_is_a_recording_of_its_own(root):
    data = LeRobotDataset(root)
    np.testing.assert_array_equal(data.recording, np.arange(len(data)))
    assert len(data.recording_names) == len(data)


def test_that_arrays_are_read_only(root):
    with pytest.raises(ValueError, match="read-only"):
        LeRobotDataset(root).hand_pose[0, 0] = 1.0


def test_that_nothing_unfinished_is_read(root):
    begin(root)
    with pytest.raises(DataError, match=r"not a finished dataset.*run the same wm-planner collect"):
        LeRobotDataset(root)


def test_that_a_shard_without_its_table_of_episodes_is_dropped(root):
    layout.file_paths(root, 0, ())["episodes"].unlink()  # as if killed before the last rename
    assert shard_seeds(root, 0) == []
    finish(root, "two_arms", fps=5)
    dataset = LeRobotDataset(root)
    assert dataset.seed.tolist() == [3, 4]
    assert not layout.file_paths(root, 0, ("head",))["head"].exists()
    assert len(dataset.frames("head")) == len(dataset.hand_pose)


def test_that_a_missing_data_file_is_named(root):
    layout.file_paths(root, 1, ())["data"].unlink()
    with pytest.raises(DataError, match=r"file-001\.parquet is missing"):
        LeRobotDataset(root)


def test_that_another_version_is_refused(root):
    info = json.loads((root / layout.INFO_PATH).read_text())
    (root / layout.INFO_PATH).write_text(json.dumps({**info, "codebase_version": "v2.1"}))
    with pytest.raises(DataError, match=r"codebase_version is v2\.1, expected v3\.0"):
        LeRobotDataset(root)


def test_that_the_layout_is_that_of_lerobot(root):
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    assert files == [
        "README.md",
        "data/chunk-000/file-000.parquet",
        "data/chunk-000/file-001.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/episodes/chunk-000/file-001.parquet",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
        "videos/observation.images.head/chunk-000/file-000.mp4",
        "videos/observation.images.head/chunk-000/file-001.mp4",
    ]
    info = json.loads((root / layout.INFO_PATH).read_text())
    stored = [key for key, feature in info["features"].items() if feature["dtype"] != "video"]
    for path in root.glob("data/*/*.parquet"):
        file = pq.ParquetFile(path)
        assert sorted(file.schema_arrow.names) == sorted(stored)
        for key in stored:
            kind = file.schema_arrow.field(key).type
            (size,) = info["features"][key]["shape"]
            if info["features"][key]["names"]:
                assert (kind.list_size, str(kind.value_type)) == (
                    size,
                    info["features"][key]["dtype"].replace("float32", "float"),
                )


def test_that_indices_run_through_all_shards(root):
    rows = [
        row for p in sorted(root.glob("meta/episodes/*/*")) for row in pq.read_table(p).to_pylist()
    ]
    assert [row["episode_index"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["dataset_from_index"] for row in rows[1:]] == [
        r["dataset_to_index"] for r in rows[:-1]
    ]
    frames = [row for p in sorted(root.glob("data/*/*")) for row in pq.read_table(p).to_pylist()]
    assert [row["index"] for row in frames] == list(range(len(frames)))
    tasks = pq.read_table(root / layout.TASKS_PATH).to_pylist()
    names = {row["task_index"]: row["task"] for row in tasks}
    key = "videos/observation.images.head"
    for row in rows:
        own = frames[row["dataset_from_index"] : row["dataset_to_index"]]
        assert {frame["episode_index"] for frame in own} == {row["episode_index"]}
        assert [frame["timestamp"] for frame in own] == pytest.approx(np.arange(len(own)) / 5)
        assert {names[frame["task_index"]] for frame in own} == set(row["tasks"])
        seconds = row[f"{key}/to_timestamp"] - row[f"{key}/from_timestamp"]
        assert seconds == pytest.approx(row["length"] / 5)
        own_file = (row["data/chunk_index"], row["data/file_index"])
        assert (row[f"{key}/chunk_index"], row[f"{key}/file_index"]) == own_file


def test_that_pandas_sees_tasks_as_the_index(root):
    pandas = pytest.importorskip("pandas")
    tasks = pandas.read_parquet(root / layout.TASKS_PATH)
    assert tasks.index.tolist() == sorted(["", "do reach", "do fold"])
    assert tasks.loc["do reach"].task_index == tasks.index.tolist().index("do reach")


def test_that_statistics_are_those_of_the_data(root):
    statistics = json.loads((root / layout.STATS_PATH).read_text())
    dataset = LeRobotDataset(root)
    action = statistics["action"]
    np.testing.assert_allclose(action["mean"], dataset.action.mean(0), atol=1e-6)
    np.testing.assert_allclose(action["std"], dataset.action.std(0), atol=1e-6)
    np.testing.assert_allclose(action["max"], dataset.action.max(0))
    assert action["count"] == [len(dataset.action)]
    image = statistics["observation.images.head"]
    assert np.shape(image["mean"]) == (3, 1, 1)
    assert 0 < np.min(image["mean"]) < np.max(image["mean"]) < 1


def test_that_the_card_counts_episodes(root):
    card = (root / "README.md").read_text()
    assert "two_arms: 5 episodes" in card
    assert "| task | expert | play | recovery |" in card
    assert "| reach | 0 / 1 | 0 / 1 | 1 / 1 |" in card
    assert "Seeds 0 to 4." in card


def test_that_scenes_may_differ_within_a_shard(tmp_path):
    bar, cube = make_episode(0, objects=("bar",)), make_episode(1, objects=("cube", "tray"))
    none = make_episode(2, objects=())
    write_shard(tmp_path, 0, [bar, none, cube], fps=5)
    finish(tmp_path, "two_arms", fps=5)
    dataset = LeRobotDataset(tmp_path)
    assert dataset.object_names == ("bar", "cube", "tray")
    present = [dataset.object_visible[i].tolist() for i in dataset.episode_offsets[:-1]]
    assert present == [[True, False, False], [False] * 3, [False, True, True]]
    np.testing.assert_array_equal(
        dataset.object_position[dataset.episode_offsets[2] :, 1:], cube.object_position
    )


def test_that_episodes_of_one_shard_must_have_the_same_cameras(tmp_path):
    wrist = make_fields(1)
    wrist["images"] = {"wrist": wrist["images"]["head"]}
    with pytest.raises(DataError, match=r"differ in cameras: \('head',\), \('wrist',\)"):
        write_shard(tmp_path, 0, [make_episode(0), Episode.from_mapping(wrist)], fps=5)


def test_that_a_dataset_can_be_moved(root, tmp_path):
    LeRobotDataset(root).frames("head")
    shutil.move(root, tmp_path / "moved")
    assert len(LeRobotDataset(tmp_path / "moved").frames("head")) > 0

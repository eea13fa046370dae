import json
import multiprocessing
import os
import signal
import threading
import time

import pytest
from episodes import (
    collect_slowly,
    make_plan,
    open_dying_recorder,
    open_failing_recorder,
    open_recorder,
)

from wm_planner.datasets.collection import collect, recorded
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.errors import ConfigurationError, DataError


def content(root):
    paths = [p for p in root.rglob("*") if p.is_file() and ".frames" not in p.parts]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in paths}


@pytest.mark.slow
def test_that_the_dataset_depends_on_the_plan_alone(tmp_path):
    """Two workers, one worker, and one worker in two goes give the same files."""
    assert collect(tmp_path / "a", make_plan(), open_recorder, workers=2) == 8
    assert collect(tmp_path / "b", make_plan(4), open_recorder) == 4
    assert LeRobotDataset(tmp_path / "b").seed.tolist() == [0, 1, 2, 3]
    assert collect(tmp_path / "b", make_plan(), open_recorder) == 5  # seed 3's file was not full
    assert content(tmp_path / "a") == content(tmp_path / "b")
    dataset = LeRobotDataset(tmp_path / "a")
    assert dataset.seed.tolist() == list(range(8))
    assert set(dataset.task) == {"reach", "fold"}
    assert set(dataset.kind) == {"expert", "play"}


@pytest.mark.slow
def test_that_finished_shards_are_not_recorded_again(tmp_path):
    reports = []
    with pytest.raises(DataError, match=r"seed=5.*failed: ValueError: the cube fell off"):
        collect(tmp_path, make_plan(), open_failing_recorder)
    there = LeRobotDataset(tmp_path).seed.tolist()  # valid, though smaller
    assert there[:3] == [0, 1, 2]
    assert not {3, 4, 5} & set(there)
    assert recorded(tmp_path, make_plan()) == len(there)
    collect(tmp_path, make_plan(), open_recorder, report=lambda job, ok: reports.append(job.seed))
    assert reports == [seed for seed in range(8) if seed not in there]
    assert LeRobotDataset(tmp_path).seed.tolist() == list(range(8))
    assert collect(tmp_path, make_plan(), open_recorder) == 0


@pytest.mark.slow
def test_that_a_killed_worker_is_reported_and_leaves_a_valid_dataset(tmp_path):
    with pytest.raises(DataError, match="a recording process died"):
        collect(tmp_path, make_plan(), open_dying_recorder)
    assert LeRobotDataset(tmp_path).seed.tolist() == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_that_an_interrupted_collection_goes_on(tmp_path, how):
    process = multiprocessing.get_context("spawn").Process(target=collect_slowly, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "meta/episodes/chunk-000/file-001.parquet").exists():
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, how)
    process.join(30)
    if how == signal.SIGINT:
        assert LeRobotDataset(tmp_path).seed.tolist()[:6] == list(range(6))
    else:
        with pytest.raises(DataError, match="not a finished dataset"):
            LeRobotDataset(tmp_path)
        time.sleep(1)  # the orphaned worker notices the closed queue or finishes its shard
    done = recorded(tmp_path, make_plan(60))
    assert done >= 6
    assert collect(tmp_path, make_plan(60), open_recorder) == 60 - done
    assert LeRobotDataset(tmp_path).seed.tolist() == list(range(60))


def test_that_a_dataset_is_not_continued_with_another_plan(tmp_path):
    collect(tmp_path, make_plan(2), open_recorder)
    with pytest.raises(ConfigurationError, match="was begun with seed 0, not 7"):
        collect(tmp_path, make_plan(2, seed=7), open_recorder)
    with pytest.raises(ConfigurationError, match="was begun with 2 episodes: ask for as many"):
        collect(tmp_path, make_plan(1), open_recorder)
    assert json.loads((tmp_path / "collection.json").read_text())["episodes"] == 2


def test_that_one_process_collects_at_a_time(tmp_path):
    errors = []
    started, go_on = threading.Event(), threading.Event()

    def hold():
        from wm_planner.datasets.collection import _locked

        with _locked(tmp_path):
            started.set()
            go_on.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    started.wait(10)
    with pytest.raises(DataError, match="another process is collecting"):
        collect(tmp_path, make_plan(2), open_recorder)
    go_on.set()
    thread.join()
    assert not errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 999_995}, "from 1000000 on are for evaluation"),
        ({"seed": 899_995}, "mix training and validation"),
        ({"episodes": 0}, "at least 1"),
        ({"tasks": {}}, "tasks: weights {} are not frequencies"),
        ({"tasks": {"reach": -1.0, "fold": 2.0}}, "are not frequencies"),
        ({"kinds": {"clever": 1.0}}, r"kinds: \['clever'\] unknown, known are expert"),
    ],
)
def test_that_a_plan_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        make_plan(**{"episodes": 10, **arguments})


def test_that_a_job_depends_on_its_seed_alone():
    ten = [job for shard in make_plan(10).shards() for job in shard]
    four = [job for shard in make_plan(4, seed=3, shard_size=50).shards() for job in shard]
    assert ten[3:7] == four
    tasks = [job.task for shard in make_plan(2000).shards() for job in shard]
    assert tasks.count("fold") / 2000 == pytest.approx(0.75, abs=0.03)

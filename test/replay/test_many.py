"""Many bags: in one process or several the same, and what happens to one happens to it alone."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from painted_rig import RIG, write_config
from simple_bags import run, write_bag

from wm_planner.replay import many
from wm_planner.replay.job import ReplayJob, read_result, replay_bag
from wm_planner.replay.many import output_hash, replay_many
from wm_planner.share_folder import share_folder

# Looked for and not imported: Ray reads its settings when it first is.
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)

LIFT = "lift both hands"


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_config(folder, text="planner: {candidates: 3, execute_steps: 2}\n")


@pytest.fixture(scope="module")
def job(tmp_path_factory, config) -> ReplayJob:
    folder = tmp_path_factory.mktemp("bags")
    return ReplayJob(write_bag(folder / "run"), folder / "out", config, instruction=LIFT)


@pytest.fixture
def broken(tmp_path, job) -> ReplayJob:
    bag = tmp_path / "broken.mcap"
    bag.write_bytes(b"nonsense")
    return replace(job, bag=bag, folder=tmp_path / "broken")


def test_one_bag_that_fails_is_listed_and_the_others_are_replayed(job, broken):
    ended = []
    failed, good = replay_many([broken, job], on_done=lambda job, _: ended.append(job))
    assert failed == {"bag": "broken.mcap", "error": failed["error"]}
    assert "cannot be opened" in failed["error"]
    assert good["plans"] and read_result(job) == good
    assert ended == [broken, job]


def test_a_failure_that_nobody_foresaw_is_listed_with_its_place(tmp_path, job, monkeypatch):
    def mistaken(bag_job):
        if bag_job.seed == 1:
            raise IndexError("list index\nout of range")
        return {"output_hash": "good"}

    monkeypatch.setattr(many, "replay_bag", mistaken)
    jobs = [replace(job, folder=tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    failed, good = replay_many(jobs)
    assert good == {"output_hash": "good"}
    assert failed["error"].startswith(f"IndexError at {__file__}:")
    assert failed["error"].endswith("list index out of range")


def test_what_is_done_is_not_done_again_unless_something_changed(tmp_path, job, monkeypatch):
    kept = replace(job, folder=tmp_path / "out")
    result = replay_bag(kept)
    monkeypatch.setattr(many, "replay_bag", lambda job: {"error": "done again"})
    assert replay_many([kept])[0]["output_hash"] == result["output_hash"]
    assert replay_many([replace(kept, seed=3)])[0] == {"error": "done again"}


def test_the_same_job_with_another_limit_in_the_rig_file_is_another_one(tmp_path, job):
    file = share_folder() / "config" / "rigs" / f"{RIG.name}.yaml"
    told = yaml.safe_load(file.read_text()) | {"urdf": str(RIG.urdf), "srdf": str(RIG.srdf)}
    keys = []
    for jerk in (150.0, 150.0, 151.0):
        told["limits"]["jerk"] = jerk
        (tmp_path / "rig.yaml").write_text(yaml.safe_dump(told))
        keys.append(replace(job, rig=str(tmp_path / "rig.yaml")).key)
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("lost", ["bag", "worst_dream_1.png"])
def test_what_lost_a_part_is_done_again(tmp_path, job, lost):
    kept = replace(job, folder=tmp_path / "out")
    replay_bag(kept)
    assert read_result(kept) is not None
    (tmp_path / "out" / lost).rename(tmp_path / "elsewhere")
    assert read_result(kept) is None


@pytest.mark.parametrize("left", ["", "[1]", "{}", '{"key": 1', '{"key": null}'])
def test_a_result_that_is_not_whole_counts_as_none(tmp_path, job, left):
    (tmp_path / "result.json").write_text(left)
    assert read_result(replace(job, folder=tmp_path)) is None


def test_what_a_killed_process_left_is_taken_away_by_the_next(tmp_path, job):
    half = tmp_path / "run.partial"
    half.mkdir()
    (half / "result.json").write_text("{")
    replay_bag(replace(job, folder=tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert "plans" in json.loads((tmp_path / "run" / "result.json").read_text())


def test_the_hash_tells_bags_that_failed_and_the_order_but_not_the_words_of_a_failure():
    good, bad = {"output_hash": "a"}, {"bag": "b", "error": "one"}
    assert output_hash([good, bad]) == output_hash([good, {"bag": "b", "error": "another"}])
    assert len({output_hash(r) for r in ([good], [bad], [good, bad], [bad, good])}) == 4


@needs_ray
@pytest.mark.slow
def test_the_number_of_workers_changes_no_result(tmp_path, job, broken):
    bags = [write_bag(tmp_path / f"bag_{i}", run(1.0 + i / 2)) for i in range(3)]
    found = {}
    for workers in (1, 2):
        jobs = [replace(job, bag=b, folder=tmp_path / str(workers) / b.name) for b in bags]
        jobs.insert(1, replace(broken, folder=tmp_path / str(workers) / "broken"))
        found[workers] = replay_many(jobs, workers)
    assert [one["bag"] for one in found[2]] == ["bag_0", "broken.mcap", "bag_1", "bag_2"]
    assert output_hash(found[1]) == output_hash(found[2])
    for one, other in zip(found[1], found[2], strict=True):
        for name in ("bag", "error", "output_hash", "plans", "replans", "looks"):
            assert one.get(name) == other.get(name)


@needs_ray
@pytest.mark.slow
def test_ctrl_c_keeps_the_bags_that_are_done_and_leaves_no_process(tmp_path, job):
    short = [write_bag(tmp_path / "short", run(1.0))]
    long = [write_bag(tmp_path / f"long_{i}", run(60.0)) for i in range(2)]
    words = [sys.executable, "-m", "wm_planner.cli", "replay", *map(str, short + long)]
    words += ["--out", str(tmp_path / "out"), "--config", str(job.config), "--workers", "2"]
    words += ["--instruction", LIFT]
    # Where Ctrl-C is ignored, as in the background of a shell, a child would ignore it too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    group = subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    done = tmp_path / "out" / "bags" / "0000-short" / "result.json"
    while not done.exists() and group.poll() is None:
        time.sleep(0.05)
    os.killpg(group.pid, signal.SIGINT)  # as a terminal does
    said = group.communicate(timeout=120)[1]
    assert group.returncode == 130, said
    assert "interrupted" in said and "Traceback" not in said
    assert "plans" in json.loads(done.read_text())
    assert not list(tmp_path.glob("out/bags/*-long_*/result.json"))
    with pytest.raises(ProcessLookupError):
        os.killpg(group.pid, 0)

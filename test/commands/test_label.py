"""`wm-planner label`: every answer is kept, frames are found again, outcomes label themselves."""

from __future__ import annotations

import json
import os
import resource
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from painted_rig import RIG, PaintedRig, make_stack
from simple_bags import write_bag

from wm_planner import cli
from wm_planner.closed_loop import run_episode
from wm_planner.closed_loop.episode_record import EpisodeRecord
from wm_planner.commands.demo_report.recording import RecordedPlan, Recording
from wm_planner.commands.labelling.futures import DREAMED, RECORDED, Future
from wm_planner.commands.labelling.label_file import LabelFile
from wm_planner.commands.labelling.pictures import labelled_pictures
from wm_planner.commands.labelling.proposals import by_outcome, propose
from wm_planner.commands.labelling.runs import Decoder, open_run
from wm_planner.commands.labelling.server import open_server
from wm_planner.commands.labelling.session import Session
from wm_planner.datasets.episode import FEATURE_SIZES, SIMULATED_JOINTS, Episode
from wm_planner.datasets.lerobot_index import finish
from wm_planner.datasets.lerobot_writer import write_shard
from wm_planner.errors import DataError
from wm_planner.types import Goal

TOPIC = RIG.cameras["head"].topic


def refuse(latents, bundle_hash):
    raise AssertionError("no dream was asked for")


def made_future(tmp_path, episode, moment=1.0, success=True, task="lift", what=RECORDED):
    at = (0, round(10 * moment))
    return Future(tmp_path / "run", what, episode, at, task, "lift", task, moment, success)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A folder as `evaluate --record-dreams` leaves it, and the stack that was evaluated."""
    stack = make_stack(tmp_path_factory.mktemp("stack"), text="planner: {candidates: 3}\n")
    folder = tmp_path_factory.mktemp("episodes")
    for seed in (1, 2):
        record = EpisodeRecord(stack.world_model.spec)
        result = run_episode(
            stack, PaintedRig(), [Goal("lift both hands")], "lift", seed, watch=record
        )
        record.write(folder, result)
    return folder, stack


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four episodes whose pictures are all of one brightness: the number of the episode."""
    folder = tmp_path_factory.mktemp("dataset") / "data"
    write_shard(folder, 0, [shaded_episode(seed) for seed in range(4)], fps=5)
    finish(folder, "simulated_bimanual", fps=5)
    return folder


def shaded_episode(seed: int) -> Episode:
    """Ten frames of the seed's brightness; odd ones succeed."""
    vectors = {name: np.zeros((10, size)) for name, size in FEATURE_SIZES.items()}
    joints = np.zeros((10, len(SIMULATED_JOINTS)))
    return Episode(
        joint_position=joints,
        joint_velocity=joints,
        images={"head": np.full((10, 48, 64, 3), 60 * seed, np.uint8)},
        **vectors,
        step_good=np.ones(10, bool),
        object_position=np.zeros((10, 1, 3)),
        object_visible=np.ones((10, 1), bool),
        object_names=("cube",),
        task="reach",
        instruction="do reach",
        success=bool(seed % 2),
        kind="expert",
        seed=seed,
    )


# -- what a folder holds ------------------------------------------------------------------------
def test_that_an_evaluation_holds_what_happened_and_every_candidate(evaluated):
    folder, stack = evaluated
    run = open_run(folder, "head", TOPIC, Decoder(stack.config))
    futures = run.futures()
    dreamed = [future for future in futures if future.what == DREAMED]
    assert {future.success for future in futures if future.what == RECORDED} == {True}
    assert {future.at[1] for future in dreamed} == {0, 1, 2}
    assert len({future.group for future in dreamed}) == len(dreamed) // 3
    last = next(f for f in futures if f.what == RECORDED and f.moment == 1.0)
    with np.load(folder / last.episode) as file:
        np.testing.assert_array_equal(
            run.pictures(last.what, last.episode, last.at)[-1], file["frames"][-1]
        )
        dream = file["dreams"][0, 2]
    seen = run.pictures(DREAMED, last.episode, (0, 2))
    np.testing.assert_array_equal(seen, stack.world_model.decode(dream.astype(np.float32)))


def test_that_dreams_of_another_model_are_refused(evaluated):
    _, stack = evaluated
    with pytest.raises(DataError, match="dreams are of world model other, loaded is"):
        Decoder(stack.config)(np.zeros((1, 2, 10)), "other", None)


def test_that_dreams_are_decoded_over_the_frame_that_they_go_on_from(evaluated):
    folder, _ = evaluated
    scenes = []

    def decode(latents, bundle_hash, scene):
        scenes.append(scene)
        return np.zeros((len(latents), *scene.shape), np.uint8)

    run = open_run(folder, "head", TOPIC, decode)
    name = next(future.episode for future in run.futures() if future.what == DREAMED)
    with np.load(folder / name) as file:
        frames, stamps, plans = file["frames"], file["stamp_ns"], file["plan_stamp_ns"]
    for plan, stamp in enumerate(plans):
        run.pictures(DREAMED, name, (plan, 0))
        np.testing.assert_array_equal(scenes[-1], frames[stamps == stamp][0])


def test_that_a_bags_plan_goes_on_from_the_newest_picture_before_it():
    frames = [(stamp, np.full((2, 2, 3), stamp, np.uint8)) for stamp in (10, 20, 30)]
    recording = Recording(frames, [], [], [], [], [])
    for start_ns, shown in ((20, 20), (29, 20), (300, 30)):
        plan = RecordedPlan(1, start_ns, start_ns, 0.2, 0, np.zeros((1, 2)), "")
        assert (recording.scene_of(plan) == shown).all()
    early = RecordedPlan(1, 9, 9, 0.2, 0, np.zeros((1, 2)), "")
    assert recording.scene_of(early) is None


def test_that_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"is no dataset .* no demo .* no replay"):
        open_run(tmp_path, "head", TOPIC, refuse)


def test_that_a_bag_with_an_outcome_is_a_demo(tmp_path):
    write_bag(tmp_path / "demo" / "bag")
    facts = {"task": "lift", "instruction": "lift both hands", "success": False}
    (tmp_path / "demo" / "metadata.json").write_text(json.dumps(facts))
    run = open_run(tmp_path / "demo", "head", TOPIC, refuse)
    futures = run.futures()
    assert {(f.what, f.success, f.task) for f in futures} == {(RECORDED, False, "lift")}
    pictures = run.pictures(RECORDED, futures[-1].episode, futures[-1].at)
    assert pictures.shape[0] == 12 and pictures.dtype == np.uint8


# -- which pairs --------------------------------------------------------------------------------
def test_that_outcomes_decide_between_tasks_mates_and_moments(tmp_path, generator):
    futures = [
        made_future(tmp_path, f"{task}{success}{n}", moment, success, task)
        for task in ("lift", "pour") for success in (True, False) for n in range(3)
        for moment in (0.4, 0.7, 1.0)
    ]  # fmt: skip
    pairs = by_outcome(futures, 30, generator)
    assert len(pairs) == 30 == len({frozenset(pair) for pair in pairs})
    for better, worse in pairs:
        assert better.task == worse.task and better.success
        if worse.success:
            assert better.episode == worse.episode and better.moment > worse.moment
        else:
            assert better.moment == worse.moment
    assert 10 <= sum(not worse.success for _, worse in pairs) <= 15


def test_that_dreams_of_different_moments_are_never_compared(tmp_path, generator):
    futures = [
        Future(tmp_path, DREAMED, "e", (plan, k), "lift", "lift", f"plan {plan}")
        for plan in range(4) for k in range(3)
    ]  # fmt: skip
    pairs = propose(futures, 100, generator)
    assert len(pairs) == 4 * 3  # all there are
    assert all(left.group == right.group and left != right for left, right in pairs)
    assert not by_outcome(futures, 10, generator)


# -- the file -----------------------------------------------------------------------------------
def test_that_answers_survive_what_a_crash_cuts_off(tmp_path):
    first, second, third = (made_future(tmp_path, name) for name in "abc")
    path = tmp_path / "labels.jsonl"
    file = LabelFile(path)
    file.add(first, second, "person")
    file.skip(second, third)
    whole = path.read_text()
    path.write_text(whole + '{"better": {"ru')
    again = LabelFile(path)
    assert again.lines == file.lines and path.read_text() == whole
    path.write_text(whole.rstrip("\n"))
    LabelFile(path).add(first, third, "person")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert ["better" in line for line in lines] == [True, False, True]
    assert again.key(second, first) in again.known()


def test_that_a_full_disk_leaves_whole_lines_and_takes_the_next_answer(tmp_path):
    """No file may grow by more than a part of a line: the same error at the write."""
    a, b, c = (made_future(tmp_path, name) for name in "abc")
    file = LabelFile(tmp_path / "labels.jsonl")
    file.add(a, b, "person")
    file.add(a, c, "person")
    whole = file.path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit, answer in ((len(whole) + 10, lambda: file.skip(b, c)), (10, file.undo)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OSError):
                answer()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert file.path.read_bytes() == whole and len(file.lines) == 2
        assert list(tmp_path.iterdir()) == [file.path]
    file.skip(b, c)
    assert LabelFile(file.path).lines == file.lines and len(file.lines) == 3


def test_that_damage_in_the_middle_is_told(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"better": 1, "worse": 2}\n')
    with pytest.raises(DataError, match="line 1: expected an object with run, what, episode, at"):
        LabelFile(path)
    path.write_text("{\n{}\n")
    with pytest.raises(DataError, match="line 1: is not JSON"):
        LabelFile(path)


def test_that_a_session_goes_back_and_goes_on(tmp_path):
    a, b, c, d = (made_future(tmp_path, name) for name in "abcd")
    path, pairs = tmp_path / "labels.jsonl", [(a, b), (b, c), (c, d)]
    session = Session(pairs, LabelFile(path))
    session.answer(0, "undo")  # there is nothing to take back
    session.answer(0, "left")
    session.answer(0, "right")  # a page that was not reloaded
    session.answer(1, "right")
    session.answer(2, "undo")
    session.answer(1, "skip")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("better", {}).get("episode") for line in lines] == ["a", None]
    assert [side["episode"] for side in lines[1]["skipped"]] == ["b", "c"]
    rest = Session(pairs, LabelFile(path))
    assert len(rest) == 1 and rest.pair == (c, d)
    with pytest.raises(DataError, match="expected one of left, right, skip, undo"):
        rest.answer(0, "both")


def test_that_the_page_asks_shows_and_takes_answers(tmp_path):
    a, b = (made_future(tmp_path, name) for name in "ab")
    session = Session([(a, b)], LabelFile(tmp_path / "labels.jsonl"))
    frames = {"a": np.zeros((4, 6, 8, 3), np.uint8), "b": np.full((5, 6, 8, 3), 9, np.uint8)}
    server = open_server(session, lambda future: frames[future.episode], port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        with urllib.request.urlopen(address) as page:
            assert b"Which one is better?" in page.read()
        with urllib.request.urlopen(f"{address}/strip?side=right&number=0") as strip:
            assert strip.headers["X-Frames"] == "5" and strip.read()[:4] == b"\x89PNG"
        body = json.dumps({"number": 0, "choice": "right"}).encode()
        with pytest.raises(urllib.error.HTTPError, match="415"):  # as a form of another site would
            urllib.request.urlopen(f"{address}/answer", body)
        request = urllib.request.Request(
            f"{address}/answer", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["done"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    (line,) = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert (line["better"]["episode"], line["worse"]["episode"]) == ("b", "a")
    assert line["by"] == "person"


# -- the whole way ------------------------------------------------------------------------------
def test_that_automatic_labels_lead_back_to_their_frames(dataset, tmp_path, capsys):
    """Seeds 1 and 3 succeeded; of two episodes, and not of one, the brightness tells which."""
    out = tmp_path / "labels" / "auto.jsonl"
    words = ["label", str(dataset), "--automatic", "--pairs", "12", "--out", str(out)]
    assert cli.main(words) == 0
    assert "12 new labels, 12 in all" in capsys.readouterr().out
    assert cli.main(words) == 0
    assert "0 new labels, 12 in all" in capsys.readouterr().out
    pairs = labelled_pictures([out], "head", TOPIC, (24, 32), refuse)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(pairs) == 12
    for (better, worse, asked), line in zip(pairs, lines, strict=True):
        assert asked == "do reach" and better.shape[1:] == (24, 32, 3)
        for pictures, side in ((better, line["better"]), (worse, line["worse"])):
            assert not os.path.isabs(side["run"])
            assert pictures.mean() == pytest.approx(60 * int(side["episode"]), abs=4)
        assert int(line["better"]["episode"]) % 2 == 1


def test_that_ctrl_c_ends_the_page_and_keeps_the_answers(dataset, tmp_path, capsys, monkeypatch):
    from wm_planner.commands.labelling import server as module

    class Interrupted:
        server_port = 8008

        def __init__(self, session):
            self.session = session

        def serve_forever(self):
            self.session.answer(0, "left")
            raise KeyboardInterrupt

        def server_close(self):
            pass

    monkeypatch.setattr(module, "open_server", lambda session, *rest: Interrupted(session))
    out = tmp_path / "labels.jsonl"
    words = ["label", str(dataset), "--pairs", "5", "--out", str(out)]
    for done in (1, 2):
        assert cli.main(words) == 0
        assert len(out.read_text().splitlines()) == done
        assert "1 answers this time" in capsys.readouterr().out

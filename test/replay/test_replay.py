"""A bag replayed: the same hash however it is done, and every difference is found and named."""

from __future__ import annotations

import errno
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_rig import RIG
from rosbags.rosbag2 import Writer
from simple_bags import CAMERA, START, commanded, run, write_bag

from wm_planner.errors import ConfigurationError, DataError
from wm_planner.messages.plans import plan_from_message
from wm_planner.replay.bag import Bag
from wm_planner.replay.job import BAG, replay_bag
from wm_planner.replay.latency import LatencySettings
from wm_planner.replay.output_bag import CANDIDATES, PLAN, PREVIEW, REPORT
from wm_planner.replay.result import WORST

LIFT = "lift both hands"
SECOND = 1_000_000_000


def test_every_frame_is_looked_at_and_plans_are_made_when_due(result):
    assert len(result["looks"]) == 20
    stamps = [(cycle["stamp_ns"] - START) / SECOND for cycle in result["cycles"]]
    # Two steps of 0.2 s are executed before the next look; pictures come every 0.1 s.
    assert stamps == pytest.approx(np.arange(0.0, 1.9, 0.4))
    assert result["plans"] == len(stamps)
    assert [cycle["reason"] for cycle in result["cycles"]][:2] == ["NEW_GOAL", "PLAN_ENDING"]


def test_the_same_job_gives_the_same_hash_and_another_seed_another(tmp_path, job, result):
    again = replay_bag(replace(job, folder=tmp_path / "again"))
    other = replay_bag(replace(job, folder=tmp_path / "other", seed=1))
    assert again["output_hash"] == result["output_hash"]
    assert other["output_hash"] != result["output_hash"]


def test_plans_are_compared_with_what_was_commanded_too_where_the_bag_says_it(
    tmp_path, job, result
):
    """Arms that are told where they are were told what they did; told more, they were told more."""
    assert all(c["foresight"]["command_dtw"] is None for c in result["cycles"] if "foresight" in c)
    standing = []
    for ahead_s in (0.0, 1.0, 3.0):
        bag = write_bag(tmp_path / f"told {ahead_s}", commanded(2.0, ahead_s))
        told = replay_bag(replace(job, bag=bag, folder=tmp_path / f"out {ahead_s}"))
        assert told["output_hash"] == result["output_hash"]  # nothing but a yardstick
        found = [c["foresight"] for c in told["cycles"] if "foresight" in c]
        assert found
        if not ahead_s:
            for kind in ("", "_standing", "_copying"):
                to_both = [[one[f"{of}dtw{kind}"] for one in found] for of in ("", "command_")]
                np.testing.assert_allclose(*to_both, atol=5e-4)
        standing.append(np.mean([one["command_dtw_standing"] for one in found]))
    assert standing[0] < standing[1] < standing[2]


def test_damaged_commands_are_counted_and_the_others_used(tmp_path, job):
    def damage(message):
        log_ns, topic, content = message
        if topic == "/told" and log_ns < START + SECOND // 2:
            content = replace(content, position=content.position * np.nan)
        return log_ns, topic, content

    bag = write_bag(tmp_path / "told", commanded(2.0), change=damage)
    told = replay_bag(replace(job, bag=bag, folder=tmp_path / "out"))
    assert sum(count for why, count in told["dropped"].items() if why.startswith("/told")) == 25
    known = [c["foresight"]["command_dtw"] for c in told["cycles"] if "foresight" in c]
    assert known[0] is None and all(one is not None for one in known[2:])


def test_a_plan_that_is_worst_in_two_ways_is_shown_once(job, result):
    moments = result["moments"]
    assert len({moment["seconds"] for moment in moments}) == len(moments)
    kinds = [kind for moment in moments for kind in moment["kinds"]]
    assert kinds.count("dream") == kinds.count("path") == WORST
    for moment in moments:
        assert (job.folder / moment["picture"]).exists()
        assert moment["steps"][0] == 1 and moment["steps"][-1] == len(moment["planned"]) - 1


def test_storage_and_compression_of_pictures_do_not_change_the_hash(tmp_path, job, result):
    compressed = write_bag(tmp_path / "compressed", run(compressed=True))
    assert any(topic.endswith("/compressed") for topic in _topics(compressed))
    again = replay_bag(replace(job, bag=compressed, folder=tmp_path / "again"))
    assert again["output_hash"] == result["output_hash"]


def test_the_bag_that_is_left_holds_what_was_recorded_and_what_was_planned(job, bag, result):
    with Bag(job.folder / BAG) as left, Bag(bag) as recorded:
        topics = set(recorded.topics)
        assert list(left.records(topics)) == list(recorded.records())
        plans = [left.unpack(record) for record in left.records([PLAN])]
        reports = [left.unpack(record) for record in left.records([REPORT])]
        chunks = [left.unpack(record) for record in left.records([CANDIDATES])]
        previews = list(left.records([PREVIEW]))
    assert len(plans) == len(reports) == len(chunks) == len(previews) == result["plans"]
    for message, report, chunk, cycle in zip(plans, reports, chunks, result["cycles"], strict=True):
        plan = plan_from_message(message, RIG.joint_names)
        assert plan.start_ns == cycle["stamp_ns"]
        assert report.chosen == plan.candidate == cycle["chosen"]
        candidates = np.array(chunk.actions).reshape(3, -1, 20)
        np.testing.assert_array_equal(candidates[plan.candidate], plan.actions)
        assert [v.reason for v in report.verdicts] == [v["reason"] for v in cycle["verdicts"]]


def test_modelled_latency_makes_plans_stale_and_is_drawn_from_seed_and_stamp(tmp_path, job):
    latency = LatencySettings(latency="modelled", latency_median=0.25, latency_spread=0.3)
    one, same, other = (
        replay_bag(replace(job, folder=tmp_path / str(i), latency=latency, seed=seed))
        for i, seed in enumerate((0, 0, 1))
    )
    times = [[cycle["staleness_s"] for cycle in r["cycles"]] for r in (one, same, other)]
    assert times[0] == times[1] != times[2]
    assert min(times[0]) > 0.05 and max(times[0]) < 1.0 and len(set(times[0])) > 1
    assert one["output_hash"] == same["output_hash"]
    assert len(one["looks"]) < 20, "frames that came while it was thinking"


def test_a_bag_that_cannot_be_replayed_says_what_is_missing(tmp_path, job):
    blind = write_bag(tmp_path / "blind", change=lambda m: None if m[1] == CAMERA.topic else m)
    with pytest.raises(DataError, match=f"no pictures on {CAMERA.topic}"):
        replay_bag(replace(job, bag=blind, folder=tmp_path / "out"))
    with pytest.raises(ConfigurationError, match="--instruction"):
        replay_bag(replace(job, folder=tmp_path / "out", instruction=None))
    with pytest.raises(DataError, match="no progress of a planner"):
        latency = LatencySettings(latency="recorded")
        replay_bag(replace(job, folder=tmp_path / "out", latency=latency))
    assert not list(tmp_path.glob("out*")), "something was left that looks like a result"


def test_a_clock_that_is_set_back_and_damaged_messages_do_not_end_the_replay(tmp_path, job):
    def fault(message):
        log_ns, topic, content = message
        if log_ns < START + SECOND:
            return message
        if topic == CAMERA.topic and log_ns < START + 1.2 * SECOND:
            content.data = content.data[:100]
            return log_ns, topic, content
        stamp = content.header.stamp
        content.header.stamp = type(stamp)(stamp.sec - 100, stamp.nanosec)
        return log_ns - 100 * SECOND, topic, content

    messages = [fault(message) for message in run()]
    found = replay_bag(
        replace(job, bag=write_bag(tmp_path / "bag", messages), folder=tmp_path / "out")
    )
    assert found["plans"] >= 2


def test_a_full_disk_is_one_clear_error_and_leaves_what_was_there(tmp_path, job, monkeypatch):
    kept = replace(job, folder=tmp_path / "kept")
    before = replay_bag(kept)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Writer, "write", full)
    with pytest.raises(DataError, match="could not be written: No space left"):
        replay_bag(replace(kept, seed=5))
    left = json.loads((kept.folder / "result.json").read_text())
    assert left["output_hash"] == before["output_hash"]
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.slow
def test_what_is_held_grows_with_the_plans_and_not_with_the_pictures(tmp_path, job):
    replay_bag(replace(job, folder=tmp_path / "first"))  # what is made once stays out of it
    peaks = []
    for seconds in (4.0, 16.0):
        bag = write_bag(tmp_path / f"{seconds:g}", run(seconds))
        tracemalloc.start()
        replay_bag(replace(job, bag=bag, folder=tmp_path / f"out {seconds:g}"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    pictures = 120 * CAMERA.height * CAMERA.width * 3  # bytes, in 12 s at 10 Hz
    assert peaks[1] - peaks[0] < pictures / 4, peaks


def _topics(path: Path) -> list[str]:
    with Bag(path) as bag:
        return list(bag.topics)

"""Plans that a bag holds are made again to the bit, and what differs is found and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simple_bags import START, STORE, run, write_bag

from wm_planner.messages.plans import plan_from_message
from wm_planner.replay.bag import Bag
from wm_planner.replay.job import BAG, ReplayJob, replay_bag
from wm_planner.replay.latency import LatencySettings
from wm_planner.replay.output_bag import PLAN, REPORT

LIFT = "lift both hands"
SECOND = 1_000_000_000
ONE_GOAL = {0: (0, 0, LIFT)}
#: From which look on which goal was pursued: its index, failed attempts, instruction.
TWO_GOALS = {0: (0, 0, LIFT), 7: (1, 0, "go home"), 13: (1, 1, "go home")}


def recorded_by_a_planner(
    folder: Path, job: ReplayJob, result: dict, busy_s: float, pursued: dict = ONE_GOAL
) -> Path:
    """Turn a replay's bag into one that looks as if its planner had run on the robot."""
    messages = list(run())
    with Bag(job.folder / BAG) as left:
        for record in left.records([PLAN, REPORT]):
            topic = record.topic.removeprefix("/replay")
            messages.append((record.log_ns + round(busy_s * SECOND), topic, left.unpack(record)))
    kind = STORE.types["wm_planner/msg/TaskProgress"]
    stamp = STORE.types["builtin_interfaces/msg/Time"]
    goals = max(goal for goal, _, _ in pursued.values()) + 1
    for look, (stamp_ns, value) in enumerate(result["looks"]):
        goal, retries, asked = pursued[max(begun for begun in pursued if begun <= look)]
        log_ns = stamp_ns + round(busy_s * SECOND)
        elapsed_s = (log_ns - START) / SECOND
        when, nan = stamp(*divmod(stamp_ns, SECOND)), float("nan")
        reached = (value, 0.8, 0, elapsed_s)
        drift = (False, nan, 2.9, nan, nan)
        reasons = (0.0, [], np.zeros(0, np.uint32))
        progress = kind(when, goal, goals, retries, asked, "executing", *reached, *drift, *reasons)
        messages.append((log_ns, "/planner/task", progress))
    return write_bag(folder, sorted(messages, key=lambda message: message[0]))


def test_recorded_plans_are_made_again_to_the_bit(tmp_path, job, result):
    # Short of a step: with longer delays plans take steps over, as this replay's did not.
    recorded = recorded_by_a_planner(tmp_path / "bag", job, result, busy_s=0.05)
    latency = LatencySettings(latency="recorded")
    again = replay_bag(
        replace(job, bag=recorded, folder=tmp_path / "again", instruction=None, latency=latency)
    )
    assert again["recorded"]["compared"] == again["recorded"]["identical"] == result["plans"]
    assert again["recorded"]["only_recorded"] == again["recorded"]["only_replayed"] == 0
    assert [c["parts"] for c in again["cycles"]] == [c["parts"] for c in result["cycles"]]
    assert again["cycles"][0]["staleness_s"] == pytest.approx(0.05)


def test_dreams_are_replaced_as_often_as_the_recorded_planner_had_time_for(tmp_path, config, job):
    slow = config.with_name("slow.yaml")  # so slow that every dream is too fast
    slow.write_text(
        config.read_text().replace("kinematic: {}", "kinematic: {velocity_fraction: 0.01}")
    )
    hurried = config.with_name("hurried.yaml")
    hurried.write_text(slow.read_text().replace("planner: {", "planner: {regeneration_rounds: 1, "))
    asked = replace(job, folder=tmp_path / "first", config=hurried)
    first = replay_bag(asked)
    assert {len(cycle["rounds"]) for cycle in first["cycles"]} == {2}
    recorded = recorded_by_a_planner(tmp_path / "bag", asked, first, busy_s=0.05)
    for latency, rounds in (("recorded", 2), ("zero", 3)):
        again = replay_bag(
            ReplayJob(recorded, tmp_path / latency, slow, latency=LatencySettings(latency=latency))
        )
        assert {len(cycle["rounds"]) for cycle in again["cycles"]} == {rounds}
        found = again["recorded"]
        assert found["compared"] > 0
        assert found["identical"] == (found["compared"] if rounds == 2 else 0)
    assert found["differing"][0]["fields"]["rounds"] == 1.0


def test_goals_are_pursued_from_the_frames_on_from_which_they_were_when_recorded(
    tmp_path, job, result
):
    told = recorded_by_a_planner(tmp_path / "told", job, result, 0.05, TWO_GOALS)
    asked = replace(job, bag=told, folder=tmp_path / "first", instruction=None)
    first = replay_bag(asked)
    assert first["instructions"] == [f"{LIFT}, then go home"]
    looks = [stamp_ns for stamp_ns, _ in first["looks"]]
    turns = [c["stamp_ns"] for c in first["cycles"] if c["reason"] == "NEW_GOAL"]
    assert turns == [looks[0], looks[7], looks[13]]
    # As if they had been planned for on the robot: the same to the bit, and not so for one goal.
    for pursued, same in ((TWO_GOALS, True), (ONE_GOAL, False)):
        folder = tmp_path / str(same)
        recorded = recorded_by_a_planner(folder / "bag", asked, first, 0.05, pursued)
        again = replay_bag(
            replace(
                asked,
                bag=recorded,
                folder=folder / "again",
                latency=LatencySettings(latency="recorded"),
            )
        )
        found = again["recorded"]
        assert (found["identical"] == found["compared"] == first["plans"]) == same


def test_a_recorded_plan_that_differs_is_found_and_what_differs_is_named(tmp_path, job, result):
    recorded = recorded_by_a_planner(tmp_path / "bag", job, result, busy_s=0.25)
    other = replay_bag(
        replace(
            job,
            bag=recorded,
            folder=tmp_path / "again",
            instruction="go home",
            latency=LatencySettings(latency="recorded"),
        )
    )
    assert other["recorded"]["identical"] == 0
    assert other["recorded"]["other_model"] is None
    assert "plan dream" in other["recorded"]["differing"][0]["fields"]


def test_a_plan_that_another_model_made_is_said_to_be_of_another_model(
    tmp_path, job, result, monkeypatch
):
    recorded = recorded_by_a_planner(tmp_path / "bag", job, result, busy_s=0.05)
    read = plan_from_message
    monkeypatch.setattr(
        "wm_planner.replay.recorded_match.plan_from_message",
        lambda *parts: replace(read(*parts), bundle_hash="f" * 64),
    )
    latency = LatencySettings(latency="recorded")
    other = replay_bag(
        replace(job, bag=recorded, folder=tmp_path / "again", instruction=None, latency=latency)
    )
    found = other["recorded"]
    assert found["identical"] == 0 and found["other_model"]["recorded"] == "f" * 64
    assert found["other_model"]["replayed"] != "f" * 64


def test_a_bag_of_another_version_is_replayed_and_what_it_lacks_counts_as_differing(
    tmp_path, job, result, monkeypatch
):
    def older(message):
        raise AttributeError("'Verdict' object has no attribute 'slowdown'")

    recorded = recorded_by_a_planner(tmp_path / "bag", job, result, busy_s=0.05)
    monkeypatch.setattr("wm_planner.replay.recorded_match.verdict_from_message", older)
    other = replay_bag(
        replace(
            job,
            bag=recorded,
            folder=tmp_path / "again",
            instruction=None,
            latency=LatencySettings(latency="recorded"),
        )
    )
    assert other["recorded"]["compared"] == result["plans"]
    assert other["recorded"]["identical"] == 0
    assert "verdict JOINT_VELOCITY" in other["recorded"]["differing"][0]["fields"]

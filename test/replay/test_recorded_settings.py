"""What was set while a bag was recorded counts from then on when it is replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simple_bags import START, STORE, Message, run, write_bag

from wm_planner.replay.job import replay_bag
from wm_planner.replay.recorded_settings import PARAMETER_EVENT

SET_AT = 900_000_000  # ns after the start
TYPES = {bool: (1, "bool_value"), int: (2, "integer_value"), float: (3, "double_value")}


def parameter(name: str, value: Any) -> Any:
    kind, field = TYPES[type(value)]
    fields = {
        "type": 0, "bool_value": False, "integer_value": 0, "double_value": 0.0,
        "string_value": "", "byte_array_value": np.zeros(0, np.uint8),
        "bool_array_value": np.zeros(0, bool), "integer_array_value": np.zeros(0, np.int64),
        "double_array_value": np.zeros(0), "string_array_value": [],
    }  # fmt: skip
    made = STORE.types["rcl_interfaces/msg/ParameterValue"](
        **{**fields, "type": kind, field: value}
    )
    return STORE.types["rcl_interfaces/msg/Parameter"](name, made)


def event(node: str, new: dict[str, Any] | None = None, **changed: Any) -> Any:
    stamp = STORE.types["builtin_interfaces/msg/Time"](0, 0)
    lists = [[parameter(*one) for one in (some or {}).items()] for some in (new, changed, None)]
    return STORE.types[PARAMETER_EVENT](stamp, node, *lists)


def set_at_run_time(*events: Any) -> Iterator[Message]:
    for message in run():
        if message[0] == START + SET_AT:
            for one in events:
                yield message[0], "/parameter_events", one
        yield message


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> Path:
    events = (
        event("/planner", candidates=5),
        event("/arm/filter", **{"kinematic.ik_position_error": 1e-9}),
        event("/somebody", candidates=9),
        event("/planner", task_timeout=3.0),
        event("/world_model", guidance_outcome=99.0),
        event("/planner", unheard_of=1),
    )
    return write_bag(tmp_path_factory.mktemp("tuned") / "run", set_at_run_time(*events))


def test_what_was_set_counts_from_then_on(tmp_path, job, tuned):
    followed = replay_bag(replace(job, bag=tuned, folder=tmp_path / "followed"))
    cycles = followed["cycles"]
    before = [cycle["stamp_ns"] - START < SET_AT for cycle in cycles]
    assert 0 < sum(before) < len(before)
    assert [cycle["candidates"] for cycle in cycles] == [3 if early else 5 for early in before]
    # No pose of these dreams is met to a millionth of a millimetre: nothing is accepted any more.
    assert [cycle["plan_id"] > 0 for cycle in cycles] == before
    assert [(one["node"], one["name"], bool(one["unused"])) for one in followed["settings"]] == [
        ("planner", "candidates", False),
        ("filter", "kinematic.ik_position_error", False),
        ("planner", "task_timeout", True),
        ("world_model", "guidance_outcome", True),
        ("planner", "unheard_of", True),
    ]
    assert "guidance_outcome is 99.0, expected at most 10.0" in followed["settings"][3]["unused"]


def test_what_nodes_had_when_they_were_first_heard_of_counts_from_the_begin(tmp_path, job):
    told = {"candidates": 4, "slowdown_cost": 1.0, "use_sim_time": True, "regeneration_time": 0.5}
    events = (
        event("/planner", new=told),
        event("/filter", new={"kinematic.start_jump": 0.9, "kinematic.unheard_of": 1.0}),
        event("/somebody", new={"candidates": 7}),
        event("/planner", candidates=5),
        event("/planner", new={"candidates": 6}),  # as after a restart
    )
    bag = write_bag(tmp_path / "bag", set_at_run_time(*events))
    result = replay_bag(replace(job, bag=bag, folder=tmp_path / "out"))
    counts = [cycle["candidates"] for cycle in result["cycles"]]
    assert counts == [4, 4, 4, 6, 6]
    told = [(one["stamp_ns"] > 0, one["name"], one["value"]) for one in result["settings"]]
    assert told == [
        (False, "candidates", 4),
        (False, "kinematic.start_jump", 0.9),
        (True, "candidates", 5),
        (True, "candidates", 6),
    ]


def test_what_is_read_only_once_is_the_configurations(tmp_path, config, job):
    text = config.read_text().replace("{kinematic: {}}", "{kinematic: {}, dtw: {consensus: true}}")
    other = config.with_name("with_dtw.yaml")
    other.write_text(text)
    events = event("/filter", new={"dtw.band": 5, "dtw.consensus_limit": 0.5})
    bag = write_bag(tmp_path / "bag", set_at_run_time(events))
    result = replay_bag(replace(job, bag=bag, config=other, folder=tmp_path / "out"))
    assert {one["name"]: one["unused"] for one in result["settings"]} == {
        "dtw.band": "it is read only once, so the configuration has to say it",
        "dtw.consensus_limit": "",
    }


def test_the_configuration_alone_may_count(tmp_path, job, result, tuned):
    alone = replay_bag(replace(job, bag=tuned, folder=tmp_path / "alone", follow_settings=False))
    assert alone["output_hash"] == result["output_hash"]
    assert alone["settings"] == []
    assert replace(job, follow_settings=False).key != job.key

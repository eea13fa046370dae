"""The results file: whole after every episode, resumed only where the question is the same."""

from __future__ import annotations

import dataclasses
import json

import pytest

from wm_planner.closed_loop import EpisodeResult
from wm_planner.closed_loop.results_file import ResultsFile
from wm_planner.errors import DataError
from wm_planner.rigs.disturbance import Disturbed

QUESTION = {"task": "lift", "seed": 1_000_000, "candidates": 8}


def make_file(path, requested=3, **changes) -> ResultsFile:
    return ResultsFile(path, {**QUESTION, **changes}, requested)


def make_result(seed: int) -> EpisodeResult:
    return EpisodeResult(
        *("lift", seed, "lift", True, "success", 2.0, 3, 0),
        rejections={"WORKSPACE": 2},
        refusals={},
        latency_s={"total": [0.1, 0.2]},
    )


def test_that_it_is_whole_after_every_episode(tmp_path):
    path = tmp_path / "deep" / "results.json"
    file = make_file(path, requested=2)
    file.add(make_result(1_000_001))
    data = json.loads(path.read_text())
    assert (data["episodes"], data["requested"], data["complete"]) == (1, 2, False)
    file.add(make_result(1_000_000))
    data = json.loads(path.read_text())
    assert data["complete"]
    assert [result["seed"] for result in data["results"]] == [1_000_000, 1_000_001]
    assert [p.name for p in path.parent.iterdir()] == ["results.json"]


def test_that_resuming_takes_over_what_is_there(tmp_path):
    path = tmp_path / "results.json"
    make_file(path).add(make_result(1_000_001))
    again = make_file(path, requested=5)
    again.resume()
    assert again.results == {1_000_001: make_result(1_000_001)}
    absent = make_file(tmp_path / "absent.json")
    absent.resume()
    assert absent.results == {}


def test_that_disturbances_are_part_of_the_question_and_come_back_as_they_were(tmp_path):
    path, asked = tmp_path / "results.json", {"kind": "object_moved", "amount": 0.04}
    disturbed = Disturbed("object_moved", True, 0.62, "cube", "")
    result = dataclasses.replace(make_result(1_000_001), disturbed=disturbed)
    make_file(path, disturbance=asked).add(result)
    again = make_file(path, disturbance=asked)
    again.resume()
    assert again.results == {1_000_001: result}
    for other in (None, {**asked, "amount": 0.05}, {**asked, "kind": "light_dimmed"}):
        with pytest.raises(DataError, match=r"disturbance is .* there"):
            make_file(path, disturbance=other).resume()


def test_that_a_file_of_before_disturbances_is_one_without(tmp_path):
    path = tmp_path / "results.json"
    make_file(path).add(make_result(1_000_001))
    again = make_file(path, disturbance=None)
    again.resume()
    assert list(again.results) == [1_000_001]
    with pytest.raises(DataError, match="disturbance is None there"):
        make_file(path, disturbance={"kind": "object_moved", "amount": 0.04}).resume()


def test_that_another_question_is_not_mixed_in(tmp_path):
    path = tmp_path / "results.json"
    make_file(path).add(make_result(1_000_001))
    with pytest.raises(DataError, match="candidates is 8 there, 4 here"):
        make_file(path, candidates=4).resume()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"results": [{"seed": 1}]}'])
def test_that_what_is_no_results_file_is_refused(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(DataError, match="cannot be resumed"):
        make_file(path).resume()


def test_that_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = make_file(None)
    file.add(make_result(1_000_000))
    file.resume()
    assert list(tmp_path.iterdir()) == []

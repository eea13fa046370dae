"""`wm-planner evaluate` from the command line, on models and a rig that fit in one's head."""

from __future__ import annotations

import json

import pytest
from painted_rig import write_config

from wm_planner import cli, registry


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN["rigs"], "painted", "painted_rig:PaintedRig")
    config = write_config(tmp_path)

    def run(*arguments: str) -> int:
        common = ["evaluate", "--task", "lift", "--rig", "painted", "--config", str(config)]
        return cli.main([*common, *arguments])

    return run


def test_that_results_are_written_and_told(evaluate, tmp_path, capsys, monkeypatch):
    # In this process: the registry of a worker would not know the painted rig.
    monkeypatch.setattr("wm_planner.closed_loop.evaluation.run_evaluation", run_in_this_process)
    path = tmp_path / "results.json"
    assert evaluate("--episodes", "2", "--candidates", "3", "--json", str(path)) == 0
    data = json.loads(path.read_text())
    assert (data["task"], data["episodes"], data["successes"]) == ("lift", 2, 2)
    assert data["success_rate"] == 1.0
    assert data["interval_95"] == pytest.approx([0.342, 1.0], abs=1e-3)
    assert (data["candidates"], data["seed"]) == (3, 1_000_000)
    assert set(data["latency_ms"]) >= {"encode", "imagine", "invert", "filter", "total"}
    assert len(data["bundles"]["world_model"]) == 64
    assert data["instruction"] == "task"
    out = capsys.readouterr().out
    assert "lift: 2 of 2 succeeded, 100% (95% interval 34 to 100%)" in out
    assert evaluate("--episodes", "3", "--candidates", "3", "--json", str(path), "--resume") == 0
    again = json.loads(path.read_text())
    assert again["episodes"] == 3
    assert again["results"][:2] == data["results"]


def test_that_latency_and_what_drift_leads_to_are_part_of_the_question(
    evaluate, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("wm_planner.closed_loop.evaluation.run_evaluation", run_in_this_process)
    path = tmp_path / "results.json"
    asked = ("--episodes", "1", "--candidates", "3", "--json", str(path), "--latency", "0.4")
    assert evaluate(*asked, "--on-drift", "stop") == 0
    data = json.loads(path.read_text())
    assert (data["latency_s"], data["replanning"]["on_drift"]) == (0.4, "stop")
    on_its_way = sum(data["replans"].values()) - data["plans"] - data["no_plans"]
    assert on_its_way in (0, 1)  # when the episode ended
    assert "replans: " in capsys.readouterr().out
    assert evaluate(*asked, "--on-drift", "ignore", "--resume") == 2
    assert "replanning is " in capsys.readouterr().err


def test_that_others_may_choose_and_their_results_are_kept_apart(
    evaluate, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("wm_planner.closed_loop.evaluation.run_evaluation", run_in_this_process)
    path = tmp_path / "results.json"
    choose = ["--json", str(path), "--choose", "oracle", "--oracle-steps", "3"]
    assert evaluate("--episodes", "1", *choose) == 0
    data = json.loads(path.read_text())
    assert (data["choice"], data["oracle_steps"], data["successes"]) == ("oracle", 3, 1)
    assert "8 candidates, choice: oracle" in capsys.readouterr().out
    assert evaluate("--episodes", "2", "--json", str(path), "--resume") == 2
    assert "choice is 'oracle' there, None here" in capsys.readouterr().err


def test_that_results_of_models_used_otherwise_are_not_resumed(
    evaluate, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("wm_planner.closed_loop.evaluation.run_evaluation", run_in_this_process)
    path = tmp_path / "results.json"
    assert evaluate("--episodes", "1", "--json", str(path)) == 0
    data = json.loads(path.read_text())
    data["model_settings"]["inverse_dynamics"]["anchor"] = 0.875
    path.write_text(json.dumps(data))
    assert evaluate("--episodes", "2", "--json", str(path), "--resume") == 2
    assert "model_settings is {" in (said := capsys.readouterr().err)
    assert "'anchor': 0.875" in said


def test_that_results_of_other_scorers_are_not_resumed(evaluate, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("wm_planner.closed_loop.evaluation.run_evaluation", run_in_this_process)
    path = tmp_path / "results.json"
    assert evaluate("--episodes", "1", "--json", str(path)) == 0
    data = json.loads(path.read_text())
    del data["scorers"]["value"]
    path.write_text(json.dumps(data))
    assert evaluate("--episodes", "2", "--json", str(path), "--resume") == 2
    assert "scorers is {'image_goal'" in capsys.readouterr().err


def test_that_results_of_before_there_was_a_choice_are_resumed(evaluate, tmp_path, monkeypatch):
    monkeypatch.setattr("wm_planner.closed_loop.evaluation.run_evaluation", run_in_this_process)
    path = tmp_path / "results.json"
    assert evaluate("--episodes", "1", "--json", str(path)) == 0
    data = json.loads(path.read_text())
    del data["choice"], data["oracle_steps"]
    path.write_text(json.dumps(data))
    assert evaluate("--episodes", "2", "--json", str(path), "--resume") == 0
    assert json.loads(path.read_text())["episodes"] == 2


def test_that_ctrl_c_keeps_what_was_done(evaluate, tmp_path, capsys, monkeypatch):
    def interrupted(evaluation, seeds, workers):
        yield from run_in_this_process(evaluation, seeds[:1], workers)
        raise KeyboardInterrupt

    monkeypatch.setattr("wm_planner.closed_loop.evaluation.run_evaluation", interrupted)
    path = tmp_path / "results.json"
    assert evaluate("--episodes", "2", "--json", str(path)) == 130
    data = json.loads(path.read_text())
    assert (data["episodes"], data["complete"]) == (1, False)
    assert "1 of 1 succeeded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--episodes", "0"], "episodes is 0, expected at least 1"),
        (["--seed", "5"], "expected at least 1000000"),
        (["--record-all"], "--record-all: needs --record DIR"),
        (["--workers", "0"], "--workers is 0"),
        (["--latency", "-1"], "latency_s is -1.0 s, expected at least 0.0 s"),
        (["--task", "lifd"], "Unknown task 'lifd'. Did you mean 'lift'"),
        (["--candidates", "0"], "candidates is 0, expected at least 1"),
        (["--disturb", "object_moved"], "object_moved: this rig's disturbances: none"),
        (["--disturb", "object_moved=3"], "is 3.0 m, expected at most 0.15 m"),
        (["--rig", "nowhere"], "Unknown name in rigs 'nowhere'"),
        (["--world-model", "nowhere"], "nowhere/bundle.json: cannot be read"),
    ],
)
def test_that_mistakes_are_one_line(evaluate, capsys, arguments, message):
    assert evaluate(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def run_in_this_process(evaluation, seeds, workers):
    from wm_planner.closed_loop import evaluation as module

    module._Worker.evaluation, module._Worker.stack = evaluation, None
    for seed in seeds:
        yield module._run_seed(seed)

"""Evaluations: seeds kept apart, the same results with any number of processes, controls."""

from __future__ import annotations

import pytest
from painted_rig import PaintedRig, open_painted_rig, write_config

from wm_planner.assembly import load_config
from wm_planner.closed_loop.evaluation import (
    Evaluation,
    goals_for,
    open_simulated_rig,
    run_evaluation,
)
from wm_planner.errors import BundleError, ConfigurationError, UnknownNameError
from wm_planner.robot.rig_description import find_rig


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load_config(write_config(tmp_path_factory.mktemp("stack")))


def evaluate(config, workers=1, **changes):
    evaluation = Evaluation(config, open_painted_rig, "lift", 2, **changes)
    results = run_evaluation(evaluation, list(evaluation.seeds), workers)
    return {result.seed: result for result in results}


@pytest.mark.slow
def test_that_the_number_of_processes_does_not_matter(config):
    one, two = evaluate(config, workers=1), evaluate(config, workers=2)
    assert sorted(one) == sorted(two) == [1_000_000, 1_000_001]
    for seed in one:
        assert one[seed].success
        assert one[seed].duration_s == two[seed].duration_s
        assert one[seed].plans == two[seed].plans


def test_that_an_untrained_world_model_fails(config):
    results = evaluate(config, untrained=("world_model",))
    assert not any(result.success for result in results.values())


def test_that_errors_of_a_process_arrive_as_they_are(config, tmp_path):
    broken = load_config(write_config(tmp_path))
    (tmp_path / "world_model" / "value.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"value\.onnx: sha256"):
        evaluate(broken)


@pytest.mark.parametrize("seed", [0, 999_999])
def test_that_training_seeds_are_refused(config, seed):
    with pytest.raises(ConfigurationError, match="expected at least 1000000"):
        Evaluation(config, open_painted_rig, "lift", 3, seed=seed)


@pytest.mark.parametrize(("seed", "refused"), [(900_000, False), (899_999, True), (999_998, True)])
def test_that_validation_takes_validation_seeds_alone(config, seed, refused):
    if refused:
        with pytest.raises(ConfigurationError, match="expected validation seeds, 900000 to 999999"):
            Evaluation(config, open_painted_rig, "lift", 3, seed=seed, validation=True)
    else:
        Evaluation(config, open_painted_rig, "lift", 3, seed=seed, validation=True)


def test_that_an_unknown_choice_is_refused(config):
    with pytest.raises(UnknownNameError, match="Did you mean 'oracle'"):
        Evaluation(config, open_painted_rig, "lift", 3, choice="oracel")


def test_that_one_thread_is_used(config):
    used = Evaluation(config, open_painted_rig, "lift", 3).config
    assert used.onnx.threads == 1
    assert used.planner.regeneration_time == 0.0 < config.planner.regeneration_time


def test_which_goal_is_given():
    rig = PaintedRig()

    def asked(task, instruction, seed=0):
        return [goal.instruction for goal in goals_for(rig, task, instruction, seed)]

    for instruction in ("task", "last", "together"):
        assert asked("lift", instruction) == ["lift both hands"]
    assert asked("lift", "none") == [None]
    assert asked("lift", "wrong", 7) == ["go home"]
    assert asked("lift_then_home", "task") == ["lift both hands", "go home"]
    assert asked("lift_then_home", "last") == ["go home"]
    assert asked("lift_then_home", "together") == ["lift both hands, then go home"]


def test_that_pictures_ask_without_a_word_and_are_enough(config):
    goals = goals_for(PaintedRig(), "lift_then_home", "picture", 0)
    assert [goal.instruction for goal in goals] == [None, None]
    assert (goals[0].image != goals[1].image).any()
    results = evaluate(config, instruction="picture")
    assert all(result.success and result.instruction is None for result in results.values())


def test_that_a_real_rig_is_refused(monkeypatch):
    class RealRig:
        def close(self):
            pass

    monkeypatch.setattr("wm_planner.closed_loop.evaluation.open_rig", lambda *_: RealRig())
    with pytest.raises(ConfigurationError, match="'arms' is not simulated"):
        open_simulated_rig("arms", find_rig("simulated_bimanual"))

"""From a configuration file to a stack; whatever is wrong with it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from painted_rig import write_config

from wm_planner.assembly import assemble, default_config_path, load_config
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL
from wm_planner.errors import BundleError, ConfigurationError, UnknownNameError


@pytest.fixture
def path(tmp_path) -> Path:
    return write_config(tmp_path)


def edit(path: Path, **changes) -> None:
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def test_that_the_shipped_configuration_can_be_read():
    config = load_config()
    assert config.rig == "simulated_bimanual"
    assert next(iter(config.filters)) == "kinematic"
    assert config.world_model.bundle.is_relative_to(default_config_path().parents[1] / "models")


def test_that_settings_reach_their_parts(path):
    edit(
        path,
        planner={"candidates": 3},
        executor={"period_s": 0.05},
        onnx={"threads": 2},
        filters={"kinematic": {"velocity_fraction": 0.5}},
        world_model={"type": "onnx", "bundle": "world_model", "settings": {"denoising_steps": 2}},
    )
    stack = assemble(load_config(path))
    assert stack.planner.settings.candidates == 3
    assert stack.config.executor.period_s == 0.05
    assert stack.planner.filters[0].settings.velocity_fraction == 0.5
    assert stack.world_model.settings.denoising_steps == 2


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"colour": 1}, UnknownNameError, "'colour'"),
        ({"planner": {"candidates": 0}}, ConfigurationError, "candidates is 0, expected at least"),
        ({"planner": {"candidate": 3}}, UnknownNameError, "Did you mean 'candidates'"),
        ({"filters": {"kinematics": {}}}, UnknownNameError, "Did you mean 'kinematic'"),
        ({"scorers": []}, ConfigurationError, "scorers: got.*expected a mapping"),
        ({"rig": 3}, ConfigurationError, "rig: got 3, expected text"),
        ({"world_model": {"type": "onnx"}}, ConfigurationError, "world_model.bundle: missing"),
        ({"onnx": {"provider": "tpu"}}, ConfigurationError, "expected one of 'auto', 'cpu'"),
    ],
)
def test_that_mistakes_are_named(path, changes, error, message):
    edit(path, **changes)
    with pytest.raises(error, match=message):
        load_config(path)


def test_that_unknown_rigs_and_absent_bundles_are_named(path):
    edit(path, rig="simulated_bimanul")
    with pytest.raises(UnknownNameError, match="Did you mean 'simulated_bimanual'"):
        assemble(load_config(path))
    edit(path, rig="simulated_bimanual", world_model={"type": "onnx", "bundle": "nowhere"})
    with pytest.raises(BundleError, match=r"nowhere/bundle.json: cannot be read"):
        assemble(load_config(path))


def test_that_models_of_different_training_runs_are_refused(path, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write_config(other)
    manifest = other / "inverse_dynamics" / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"encoder_hash": "', '"encoder_hash": "0'))
    edit(path, inverse_dynamics={"type": "onnx", "bundle": "other/inverse_dynamics"})
    with pytest.raises(BundleError, match="encoder_hash: world model has"):
        assemble(load_config(path))


@pytest.mark.parametrize("kind", [WORLD_MODEL, INVERSE_DYNAMICS])
def test_that_untrained_models_are_paired_as_trained_and_then_differ(path, kind):
    trained, fresh = assemble(load_config(path)), assemble(load_config(path), {kind})
    for name in (WORLD_MODEL, INVERSE_DYNAMICS):
        same = getattr(trained, name).spec.bundle_hash == getattr(fresh, name).spec.bundle_hash
        assert same == (name != kind)

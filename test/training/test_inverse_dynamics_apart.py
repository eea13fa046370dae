"""Inverse dynamics that reads dreams by another network than frames that were seen."""

from __future__ import annotations

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

import numpy as np  # noqa: E402

from wm_planner.bundle import INVERSE_DYNAMICS, load_bundle  # noqa: E402
from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.onnx_session import OnnxSession  # noqa: E402
from wm_planner.training.bundles import export_run  # noqa: E402
from wm_planner.training.networks.inverse_dynamics_apart import (  # noqa: E402
    InverseDynamicsApart,
)
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402
from wm_planner.training.warm_start import WarmStart  # noqa: E402

APART = TrainingSettings(
    channels=8, horizon=4, width=32, layers=1, autoencoder_steps=3, denoiser_steps=3,
    inverse_dynamics_steps=8, inverse_dynamics_on_dreams_steps=8, value_steps=3,
    autoencoder_batch=8, denoiser_batch=4, inverse_dynamics_batch=16, value_batch=8,
    made_pieces=8, calibration_share=0.5, inverse_dynamics_apart=True,
)  # fmt: skip
PLAIN = dataclasses.replace(APART, inverse_dynamics_apart=False)
STAGES = {False: "inverse_dynamics", True: "inverse_dynamics_on_dreams"}
COMMAND, LOG_VARIANCE = 2, 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory, source):
    run = Run(tmp_path_factory.mktemp("apart"), APART, source)
    for stage in run.stages:
        run.train(stage)
    path = run.folder / STAGES[True] / "model.pt"
    weights = torch.load(path, weights_only=True)
    weights["heads.bias"] += 5.0  # a few steps alone do not tell them apart
    torch.save(weights, path)
    return run


@pytest.fixture(scope="module")
def shipped(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    export_run(finished, folder, None)
    return folder


@pytest.mark.parametrize("dreamed", [False, True])
@torch.no_grad()
def test_each_kind_of_frames_has_its_network(finished, shipped, dreamed):
    frames = torch.randn(5, 2, 12, APART.channels)
    told = torch.full((5,), float(dreamed))
    both = finished.load_inverse_dynamics()
    assert isinstance(both, InverseDynamicsApart)
    expected = finished.load(STAGES[dreamed])(frames, told)
    for got, wanted in zip(both(frames, told), expected, strict=True):
        torch.testing.assert_close(got, wanted)
    bundle = load_bundle(shipped / INVERSE_DYNAMICS, INVERSE_DYNAMICS)
    name = "inverse_dynamics"
    session = OnnxSession(name, bundle.graphs[name], bundle.manifest.graphs[name])
    got = session.run(frames=frames.numpy(), dreamed=told.numpy())
    np.testing.assert_allclose(got["command"], expected[COMMAND], atol=1e-3)
    np.testing.assert_allclose(got["log_variance"], expected[LOG_VARIANCE], atol=2e-2)
    other = finished.load(STAGES[not dreamed])(frames, told)
    assert np.abs(got["command"] - other[COMMAND].numpy()).max() > 2e-2


@torch.no_grad()
def test_windows_of_both_kinds_may_be_mixed(finished):
    frames, told = torch.randn(4, 2, 12, APART.channels), torch.tensor([0.0, 1.0, 1.0, 0.0])
    both = finished.load_inverse_dynamics()
    command = both(frames, told)[COMMAND]
    for dreamed in (False, True):
        rows = told == dreamed
        expected = both(frames, torch.full((4,), float(dreamed)))[COMMAND]
        torch.testing.assert_close(command[rows], expected[rows])


def test_each_is_as_sure_as_its_own_frames_show(finished, source, tmp_path):
    record = json.loads((finished.folder / "run.json").read_text())["calibration"]
    kinds = {stage: {name.split()[0] for name in shares} for stage, shares in record.items()}
    assert kinds == {STAGES[False]: {"real"}, STAGES[True]: {"dreamed"}}
    assert finished.load(STAGES[False]).log_scale.abs().sum() > 0
    plain = Run(tmp_path, PLAIN, source)
    for stage in ("autoencoder", "inverse_dynamics", "denoiser", "inverse_dynamics_on_dreams"):
        plain.train(stage)
    record = json.loads((plain.folder / "run.json").read_text())["calibration"]
    assert list(record) == [STAGES[True]]
    # The stage on dreams begins without a fit, as it does where there was none before it.
    other = dict(finished.load(STAGES[True]).named_parameters())
    for name, value in plain.load(STAGES[True]).named_parameters():
        if name != "heads.bias":
            torch.testing.assert_close(value, other[name])


@pytest.mark.parametrize("from_bundle", [False, True])
def test_training_goes_on_with_each(finished, shipped, source, tmp_path, from_bundle):
    start = WarmStart(shipped if from_bundle else finished.folder)
    close = {"rtol": 2e-3, "atol": 2e-3} if from_bundle else {"rtol": 0, "atol": 0}
    for stage in STAGES.values():
        assert start.holds(stage)
        model, known = finished.fresh(stage), finished.load(stage)
        start.load_into(model, stage, finished.vocabulary, APART.rig, APART.channels)
        for (name, got), (_, wanted) in zip(
            model.named_parameters(), known.named_parameters(), strict=True
        ):
            assert torch.allclose(got, wanted, **close), name
        torch.testing.assert_close(model.std, known.std, **close)
    settings = dataclasses.replace(
        APART, autoencoder_steps=0, inverse_dynamics_steps=0, inverse_dynamics_on_dreams_steps=0,
        value_steps=0,
    )  # fmt: skip
    kept = Run(tmp_path, settings, source, start=start)
    frames = torch.randn(3, 2, 12, APART.channels)
    for dreamed in (0.0, 1.0):
        told = torch.full((3,), dreamed)
        with torch.no_grad():
            got = kept.load_inverse_dynamics()(frames, told)
            expected = finished.load_inverse_dynamics()(frames, told)
        torch.testing.assert_close(got[COMMAND], expected[COMMAND], rtol=0, atol=2e-3)
        torch.testing.assert_close(got[LOG_VARIANCE], expected[LOG_VARIANCE], rtol=0, atol=2e-2)


def test_both_are_kept_or_none(finished, source, tmp_path):
    settings = dataclasses.replace(PLAIN, autoencoder_steps=0, inverse_dynamics_steps=0)
    with pytest.raises(ConfigurationError, match="keeps both networks of --start-from"):
        Run(tmp_path, settings, source, start=WarmStart(finished.folder))


@pytest.mark.parametrize("on_dreams", [False, True])
def test_of_a_start_with_one_network_that_begins_both(finished, source, tmp_path, on_dreams):
    steps = PLAIN.inverse_dynamics_on_dreams_steps if on_dreams else 0
    plain = dataclasses.replace(PLAIN, inverse_dynamics_on_dreams_steps=steps)
    plain = Run(tmp_path / "plain", plain, source)
    for stage in plain.stages:
        plain.train(stage)
    export_run(plain, tmp_path / "out", None)
    known = plain.load(STAGES[on_dreams])
    for folder, close in ((plain.folder, 0), (tmp_path / "out", 2e-3)):
        assert not WarmStart(folder).holds(STAGES[True])
        run = Run(tmp_path / f"of_{folder.name}", APART, source, start=WarmStart(folder))
        for stage in ("autoencoder", "inverse_dynamics", "denoiser"):
            run.train(stage)
        model, _ = run.begin(STAGES[True])
        for (name, got), wanted in zip(model.named_parameters(), known.parameters(), strict=True):
            torch.testing.assert_close(got, wanted, rtol=close, atol=close, msg=name)

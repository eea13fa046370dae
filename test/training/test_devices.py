"""Training computes where it is told to, and says so where it cannot."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.autoencoder_training import autoencoder_loss  # noqa: E402
from wm_planner.training.devices import choose_device, device_of  # noqa: E402
from wm_planner.training.inverse_dynamics_stages import loss_on_recorded  # noqa: E402
from wm_planner.training.noisy_windows import NoisyWindows  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402
from wm_planner.training.windows import Windows  # noqa: E402
from wm_planner.training.world_model_training import denoiser_loss, value_loss  # noqa: E402


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("autoencoder", {}),
        ("inverse_dynamics", {}),
        ("inverse_dynamics", {"inverse_dynamics_head": "flow", "inverse_dynamics_window": 4}),
        ("denoiser", {}),
        ("denoiser", {"shortcut": True}),
        ("value", {}),
    ],
)
def test_a_loss_leaves_nothing_on_the_cpu(stage, settings, source, tmp_path, monkeypatch):
    """The device "meta" stands in for a GPU: it has shapes only, and refuses the CPU's tensors."""
    monkeypatch.setattr(torch, "autocast", lambda *_: contextlib.nullcontext())
    run = Run(tmp_path, TrainingSettings(horizon=4, width=32, layers=1, **settings), source)
    latents = np.random.default_rng(0).normal(size=(len(source.frames), 12, 32)).astype(np.float16)
    np.save(tmp_path / "latents.npy", latents)
    inverter = run.networks.inverse_dynamics().to("meta")
    loss = {
        "autoencoder": lambda: autoencoder_loss(source, 4),
        "inverse_dynamics": lambda: loss_on_recorded(run),
        "denoiser": lambda: denoiser_loss(
            NoisyWindows(Windows(source, latents, run.vocabulary, 2, 4), 8), inverter
        ),
        "value": lambda: value_loss(source, latents, run.vocabulary, 8),
    }[stage]()
    model = run.fresh(stage).to("meta")
    value, figures = loss(model, np.random.default_rng(0), 0.5)
    value.backward()
    assert device_of(model).type == value.device.type == "meta"
    assert all(torch.as_tensor(figure).is_meta for figure in figures.values())


def test_without_a_gpu_auto_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_is_refused(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigurationError, match=f"got '{name}'.*finds 0 GPUs; choose cpu"):
        choose_device(name)


def test_every_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setenv("LOCAL_RANK", "1")
    before = torch.get_float32_matmul_precision()
    try:
        assert choose_device("auto") == torch.device("cuda", 1)
    finally:
        torch.set_float32_matmul_precision(before)


def test_an_unknown_device_is_refused_with_the_choices():
    with pytest.raises(ConfigurationError, match="got 'gpu', expected auto, cpu, cuda or cuda:N"):
        choose_device("gpu")

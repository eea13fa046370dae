"""A denoiser that is kept dreams what it knew as before, and further channels as they move."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

import numpy as np  # noqa: E402

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.networks.latent_packing import pack  # noqa: E402
from wm_planner.training.noisy_windows import weight  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.stages import noisy_windows  # noqa: E402
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402
from wm_planner.training.warm_start import WarmStart  # noqa: E402

SMALL = TrainingSettings(
    channels=8, horizon=4, width=32, layers=1, autoencoder_steps=3, denoiser_steps=3,
    inverse_dynamics_steps=3, value_steps=3, autoencoder_batch=8, denoiser_batch=4,
    inverse_dynamics_batch=16,
)  # fmt: skip
KEPT = dataclasses.replace(
    SMALL, channels=12, fine_channels=4, autoencoder_keep=True, denoiser_keep=True,
    denoiser_steps=60, denoiser_batch=16, context_noise=0.0, denoiser_scene_noise=0.0,
)  # fmt: skip
OLD = SMALL.channels


@pytest.fixture(scope="module")
def small(tmp_path_factory, source):
    run = Run(tmp_path_factory.mktemp("small"), SMALL, source)
    for stage in run.stages:
        run.train(stage)
    return run


@pytest.fixture(scope="module")
def kept(small, tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("kept")
    run = Run(folder, KEPT, source, start=WarmStart(small.folder))
    # Further channels that move as others do, which is what there is to find out.
    latents = np.random.default_rng(0).normal(size=(len(source.frames), 12, KEPT.channels))
    latents[..., OLD:] = latents[..., : KEPT.channels - OLD]
    np.save(folder / "latents.npy", latents.astype(np.float16))
    for stage in ("autoencoder", "inverse_dynamics", "denoiser"):
        run.train(stage)
    return run


def told(drawn, channels):
    """What a denoiser of so many channels is given of a batch."""
    words, goal, *others = drawn.conditions
    seen = (drawn.context[..., :channels], drawn.noisy[..., :channels], drawn.signal)
    return (*seen, words, goal[..., :channels], *others)


@torch.no_grad()
def test_channels_that_were_known_are_dreamed_as_before(small, kept):
    before, after = small.load("denoiser"), kept.load("denoiser")
    drawn = noisy_windows(kept).draw(after, np.random.default_rng(1), torch.device("cpu"))
    expected, got = before(*told(drawn, OLD)), after(*told(drawn, KEPT.channels))
    torch.testing.assert_close(got[..., :OLD], expected)


@torch.no_grad()
def test_further_ones_are_dreamed_better_than_standing_still(kept):
    model = kept.load("denoiser")
    generator = np.random.default_rng(2)
    squares = torch.zeros(2)
    for _ in range(8):
        drawn = noisy_windows(kept).draw(model, generator, torch.device("cpu"))
        dreams = (model(*told(drawn, KEPT.channels)), drawn.newest)
        for i, dream in enumerate(dreams):
            wrong = (dream - drawn.clean)[..., OLD:].square().mean((2, 3))
            squares[i] += (wrong * weight(drawn.signal)).mean()
    assert squares[0] < 0.8 * squares[1]


@torch.no_grad()
def test_it_is_the_best_linear_map_of_the_last_layer(kept):
    """What is left over has nothing to do with the features, on average over many batches."""
    model, seen = kept.load("denoiser"), []
    model.outputs.register_forward_hook(lambda layer, inputs, _: seen.append(inputs[0]))
    generator = np.random.default_rng([KEPT.seed, 12])
    torch.manual_seed(KEPT.seed)  # the batches that were fitted on
    left, whole = 0.0, 0.0
    for _ in range(KEPT.denoiser_steps):
        drawn = noisy_windows(kept).draw(model, generator, torch.device("cpu"))
        dream = model(*told(drawn, KEPT.channels))
        features = seen.pop().unflatten(1, (-1, model.settings.groups))[:, 2:]
        weighed = features * weight(drawn.signal)[..., None, None]
        channel = slice(OLD, KEPT.channels)  # of each packed token's first cell
        wrong = pack(drawn.clean - dream, model.settings)[..., channel]
        moved = pack(drawn.clean - drawn.newest, model.settings)[..., channel]
        left = left + torch.einsum("bfgw,bfgc->wc", weighed, wrong)
        whole = whole + torch.einsum("bfgw,bfgc->wc", weighed, moved)
    assert left.norm() < 0.05 * whole.norm()


@pytest.mark.parametrize(
    ("change", "start", "said"),
    [
        ({}, False, "keeps the denoiser of --start-from: name one for simulated_bimanual with"),
        ({"channels": OLD, "fine_channels": 0}, True, "with fewer than 8 channels"),
        ({"autoencoder_keep": False}, True, "takes the encoder that it was trained on"),
        ({"prediction": "v"}, True, "and prediction: residual"),
    ],
)
def test_what_cannot_be_kept_is_refused(small, kept, tmp_path, source, change, start, said):
    settings = dataclasses.replace(KEPT, **change)
    run = Run(tmp_path, settings, source, start=WarmStart(small.folder) if start else None)
    for stage in ("autoencoder", "inverse_dynamics"):
        (tmp_path / stage).mkdir()
        weights = run.fresh(stage).state_dict()
        torch.save(weights, tmp_path / stage / "model.pt")
    with pytest.raises(ConfigurationError, match=f"denoiser_keep is true.*{said}"):
        run.train("denoiser")

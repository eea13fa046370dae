"""A model whose latents have other channels begins as the one that it goes on from."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.bundles import export_run  # noqa: E402
from wm_planner.training.other_channels import with_other_channels  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402
from wm_planner.training.warm_start import WarmStart  # noqa: E402

SMALL = TrainingSettings(
    channels=8, horizon=4, width=32, layers=1, autoencoder_steps=3, denoiser_steps=3,
    inverse_dynamics_steps=3, value_steps=3, scene_decoder_steps=3, autoencoder_batch=8,
    denoiser_batch=4, inverse_dynamics_batch=16, value_batch=16, scene_decoder_batch=2,
)  # fmt: skip
LARGER = dataclasses.replace(SMALL, channels=12, fine_channels=4, autoencoder_keep=True)
OLD, NEW = SMALL.channels, LARGER.channels


@pytest.fixture(scope="module")
def small(tmp_path_factory, source):
    run = Run(tmp_path_factory.mktemp("small"), SMALL, source)
    for stage in run.stages:
        run.train(stage)
    return run


@pytest.fixture
def larger(small, tmp_path, source):
    return Run(tmp_path / "larger", LARGER, source, start=WarmStart(small.folder))


def begun(run, stage):
    """A stage's network as it begins, and what it would do with the channels that were there."""
    model = run.fresh(stage)
    run.start.load_into(model, stage, run.vocabulary, LARGER.rig, NEW)
    return model.eval()


@torch.no_grad()
def test_pictures_are_encoded_and_decoded_as_before(small, larger, source):
    old, new = small.load("autoencoder"), begun(larger, "autoencoder")
    image = torch.from_numpy(source.frames[:3])
    before, after = old.encode(image), new.encode(image)
    torch.testing.assert_close(after[..., :OLD], before)
    assert after[..., OLD:].std() > 0.01  # there is something to learn from
    torch.testing.assert_close(new.decode(after), old.decode(before))
    old, new = small.load("scene_decoder"), begun(larger, "scene_decoder")
    row = torch.zeros(3, dtype=torch.long)
    expected = old(before, image[:1], before[:1], row)
    torch.testing.assert_close(new(after, image[:1], after[:1], row), expected)


@torch.no_grad()
def test_hands_and_values_are_read_as_before(small, larger):
    latent = torch.randn(3, 2, 12, NEW)
    old, new = small.load("inverse_dynamics"), begun(larger, "inverse_dynamics")
    for expected, got in zip(old(latent[..., :OLD]), new(latent), strict=True):
        torch.testing.assert_close(got, expected)
    words = torch.ones(3, len(small.vocabulary))
    old, new = small.load("value"), begun(larger, "value")
    expected = old(latent[:, 0, :, :OLD], words)
    torch.testing.assert_close(new(latent[:, 0], words), expected)


@torch.no_grad()
def test_the_same_is_dreamed_and_further_channels_stay_as_they_were_seen(small, larger):
    old, new = small.load("denoiser"), begun(larger, "denoiser")
    context, noisy = torch.randn(2, 2, 12, NEW), torch.randn(2, 4, 12, NEW)
    conditions = (
        torch.rand(2, 4), torch.zeros(2, len(small.vocabulary)), torch.randn(2, 12, NEW),
        torch.ones(2, 1), torch.randn(2, 4, 20), torch.ones(2, 4),
        torch.ones(2, dtype=torch.long),
    )  # fmt: skip
    cut = [x[..., :OLD] if x.shape[-1] == NEW and x.shape[-2] == 12 else x for x in conditions]
    expected = old(context[..., :OLD], noisy[..., :OLD], *cut)
    got = new(context, noisy, *conditions)
    torch.testing.assert_close(got[..., :OLD], expected)
    seen = context[:, -1:, :, OLD:].expand(-1, 4, -1, -1)
    # Apart from the last layer's bias, which begins at random.
    assert (got[..., OLD:] - seen).std((0, 1)).max() < 0.1


@pytest.mark.parametrize("shipped", [False, True])
def test_training_keeps_the_encoder_that_was_there(small, tmp_path, source, shipped):
    start = small.folder
    if shipped:
        export_run(small, tmp_path / "shipped", None)
        start = tmp_path / "shipped"
    run = Run(tmp_path / "larger", LARGER, source, start=WarmStart(start))
    image = torch.from_numpy(source.frames[::5])
    first, known = begun(run, "autoencoder"), small.load("autoencoder")
    trained = run.train("autoencoder")
    with torch.no_grad():
        before, begins, after = (model.encode(image) for model in (known, first, trained))
    close = {"rtol": 0, "atol": 1e-2} if shipped else {}  # what is shipped is rounded to half
    torch.testing.assert_close(after[..., :OLD], before, **close)
    torch.testing.assert_close(after[..., :OLD], begins[..., :OLD], rtol=0, atol=0)
    assert not torch.equal(after[..., OLD:], begins[..., OLD:])


@pytest.mark.parametrize("shipped", [False, True])
@torch.no_grad()
def test_what_reads_latents_may_be_kept(small, tmp_path, source, shipped):
    start = small.folder
    if shipped:
        export_run(small, tmp_path / "shipped", None)
        start = tmp_path / "shipped"
    settings = dataclasses.replace(
        LARGER, value_steps=0, scene_decoder_steps=0, inverse_dynamics_apart=True,
        denoiser_steps=0,
    )  # fmt: skip
    run = Run(tmp_path / "larger", settings, source, start=WarmStart(start))
    assert {path.parent.name for path in run.folder.glob("*/model.pt")} == {
        "value", "scene_decoder", "inverse_dynamics_on_dreams",
    }  # fmt: skip
    close = {"rtol": 2e-3, "atol": 2e-3} if shipped else {}
    latent, told = torch.randn(3, 2, 12, NEW), torch.ones(3)
    expected = small.load("inverse_dynamics")(latent[..., :OLD], told)
    got = run.load("inverse_dynamics_on_dreams")(latent, told)
    torch.testing.assert_close(got, expected, **close)
    words = torch.ones(3, len(small.vocabulary))
    expected = small.load("value")(latent[:, 0, :, :OLD], words)
    torch.testing.assert_close(run.load("value")(latent[:, 0], words), expected, **close)


def test_what_reads_fine_channels_that_change_is_not_kept(larger, tmp_path, source):
    for stage in larger.stages:
        larger.train(stage)
    settings = dataclasses.replace(LARGER, value_steps=0)
    again = Run(tmp_path / "again", settings, source, start=WarmStart(larger.folder))
    assert not again.finished("value")


def test_what_is_shipped_has_the_fine_channels(larger, tmp_path, source):
    for stage in larger.stages:
        larger.train(stage)
    export_run(larger, tmp_path / "first", None)  # it compares ONNX Runtime's numbers with torch's
    start = WarmStart(tmp_path / "first")
    assert start.channels == NEW
    again, known = larger.fresh("autoencoder"), larger.load("autoencoder")
    start.load_into(again, "autoencoder", larger.vocabulary, LARGER.rig, NEW)
    image = torch.from_numpy(source.frames[::5])
    with torch.no_grad():
        got, expected = again.eval().encode(image), known.encode(image)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-2)


def test_what_is_rounded_for_export_is_what_is_stored(larger, tmp_path, source):
    """With normalisations far from resting, which exporters fold into rounded weights."""
    for stage in larger.stages:
        larger.train(stage)
    path = larger.folder / "autoencoder" / "model.pt"
    model = larger.load("autoencoder")
    image = torch.from_numpy(source.frames[:3])
    for norm in (model.norm, model.fine.norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(1e-5, 1e-3)
    torch.save(model.state_dict(), path)
    with torch.no_grad():
        before = model.encode(image)
        model.fold_norms()
        torch.testing.assert_close(model.encode(image), before, rtol=1e-4, atol=1e-3)
    export_run(larger, tmp_path / "sharp", None)  # compares with torch


@torch.no_grad()
def test_fine_channels_can_be_left_out_again(small, larger, source):
    begins = begun(larger, "autoencoder")
    torch.nn.init.normal_(begins.decoder[0].weight)
    (larger.folder / "autoencoder").mkdir()
    torch.save(begins.state_dict(), larger.folder / "autoencoder" / "model.pt")
    again = small.fresh("autoencoder")
    WarmStart(larger.folder).load_into(again, "autoencoder", small.vocabulary, SMALL.rig, OLD)
    latent = torch.randn(3, 12, NEW)
    latent[..., OLD:] = 0
    torch.testing.assert_close(again.eval().decode(latent[..., :OLD]), begins.decode(latent))
    image = torch.from_numpy(source.frames[:3])
    torch.testing.assert_close(again.encode(image), begins.encode(image)[..., :OLD])


def test_keeping_an_encoder_needs_one_only_at_the_beginning(small, tmp_path, source):
    run = Run(tmp_path, LARGER, source)
    with pytest.raises(ConfigurationError, match=r"autoencoder_keep is true.*name one"):
        run.train("autoencoder")
    begun = Run(tmp_path / "begun", LARGER, source, start=WarmStart(small.folder))
    first = begun.train("autoencoder").state_dict()
    (begun.folder / "autoencoder" / "model.pt").unlink()
    again = Run(begun.folder, LARGER, source).train("autoencoder").state_dict()  # names none
    assert all(torch.equal(again[name], value) for name, value in first.items())


def test_not_all_channels_can_be_fine(tmp_path, source):
    settings = dataclasses.replace(SMALL, fine_channels=OLD)
    with pytest.raises(ConfigurationError, match="fine_channels: got 8, expected fewer"):
        Run(tmp_path, settings, source).train("autoencoder")


def test_only_what_has_to_do_with_latents_grows():
    weights = {"layers.0.weight": torch.arange(2 * 10.0).reshape(2, 10), "x": torch.ones(4, 8)}
    own = {"layers.0.weight": torch.full((2, 16), 7.0), "x": torch.zeros(4, 12)}
    grown = with_other_channels(weights, own, 4, 7)  # two tokens, and two numbers behind them
    row = [0, 1, 2, 3, 0, 0, 0, 4, 5, 6, 7, 0, 0, 0, 8, 9]
    assert grown["layers.0.weight"][0].tolist() == row
    assert grown["x"].shape == (4, 8)
    wider = {"layers.0.weight": torch.zeros(3, 16)}
    assert with_other_channels(weights, wider, 4, 7)["layers.0.weight"].shape == (2, 10)

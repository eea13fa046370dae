"""The scene decoder: what rests is what was seen, and it begins as the autoencoder's decoder."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from torch.nn import functional  # noqa: E402

from wm_planner.errors import ConfigurationError, DataError  # noqa: E402
from wm_planner.training.dreaming import decode_over  # noqa: E402
from wm_planner.training.networks.autoencoder import (  # noqa: E402
    Autoencoder,
    AutoencoderSettings,
)
from wm_planner.training.networks.inverse_dynamics import CALIBRATED  # noqa: E402
from wm_planner.training.networks.scene_decoder import CELL, SceneDecoder  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.scene_decoder_training import (  # noqa: E402
    DreamedPieces,
    scene_decoder_loss,
)
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402
from wm_planner.training.warm_start import WarmStart  # noqa: E402
from wm_planner.training.windows import Windows  # noqa: E402

HEIGHT, WIDTH, TOKENS, CHANNELS = 96, 128, 12, 32


@pytest.fixture(scope="module")
def autoencoder() -> Autoencoder:
    torch.manual_seed(0)
    model = Autoencoder(AutoencoderSettings(), 255 * torch.rand(HEIGHT, WIDTH, 3)).eval()
    torch.nn.init.normal_(model.decoder[-2].weight, std=0.02)
    torch.nn.init.normal_(model.decoder[-2].bias, std=0.1)
    return model


@pytest.fixture(scope="module")
def decoder(autoencoder) -> SceneDecoder:
    return SceneDecoder(autoencoder).eval()


def scenes(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, HEIGHT, WIDTH, 3), dtype=torch.uint8)


@torch.no_grad()
def test_it_begins_with_the_pictures_of_the_autoencoder(autoencoder, decoder):
    latent = torch.randn(3, TOKENS, CHANNELS)
    rough = decoder.rough(decoder._draw(latent)) + decoder.mean_cells
    expected = autoencoder.decode(latent)
    torch.testing.assert_close(functional.pixel_shuffle(rough, CELL), expected)


@torch.no_grad()
def test_the_scene_shines_through_where_nothing_changed_and_not_where_all_did(autoencoder, decoder):
    seen, latent = scenes(1), torch.randn(2, TOKENS, CHANNELS)
    latent[1] *= 40  # an untrained decoder hardly changes with its latent
    row = torch.zeros(1, dtype=torch.long)
    pixels = (seen.permute(0, 3, 1, 2).float() - 110) / 64
    rough = autoencoder.decode(latent)

    def share(frame: int) -> float:
        """How much of the way from the rough picture to the scene a frame went."""
        out = decoder(latent[frame : frame + 1], seen, latent[:1], row)
        way = pixels - rough[frame]
        return float(((out - rough[frame]) * way).sum() / way.square().sum())

    assert share(0) > 0.9 > 0.5 > share(1)


@torch.no_grad()
def test_each_row_is_painted_over_its_own_scene(decoder):
    seen, before = scenes(2), torch.randn(2, TOKENS, CHANNELS)
    latent = torch.randn(4, TOKENS, CHANNELS)
    together = decoder(latent, seen, before, torch.tensor([1, 0, 0, 1]))
    alone = [
        decoder(latent[k : k + 1], seen[s : s + 1], before[s : s + 1], torch.tensor([0]))
        for k, s in enumerate((1, 0, 0, 1))
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=0)
    windows = latent.reshape(2, 2, TOKENS, CHANNELS)
    images = decode_over(decoder, windows.numpy(), seen.numpy(), before.numpy())
    expected = decoder.decode_image(latent, seen, before, torch.tensor([0, 0, 1, 1]))
    np.testing.assert_allclose(images.astype(int), expected.numpy(), atol=1)


def drawer(source, latents) -> Windows:
    return Windows(source, latents, ("cube", "lift", "the"), 2, 4)


def test_training_decodes_the_frames_that_follow_and_the_dreams_that_stand_for_them(
    source, autoencoder
):
    latents = np.random.default_rng(0).normal(size=(96, TOKENS, CHANNELS)).astype(np.float16)
    frames = np.arange(5)[None] + np.array([[0], [12]])
    dreamed = DreamedPieces(frames, latents[frames] + np.float16(1))
    seen: list[tuple[torch.Tensor, ...]] = []

    class Watched(SceneDecoder):
        def forward(self, *given):
            seen.append(given)
            return super().forward(*given)

    torch.manual_seed(0)
    model = Watched(autoencoder)
    loss = scene_decoder_loss(source, drawer(source, latents), 2, 6, dreamed, 1.0)
    value, figures = loss(model, np.random.default_rng(0), 0.0)
    value.backward()
    assert torch.isfinite(value) and set(figures) == {"psnr", "psnr_moving", "psnr_still"}
    latent, scene, before, row = seen[0]
    assert len(scene) == 6 and len(latent) == len(row) == 24
    firsts = [int(np.abs(source.frames - one).sum((1, 2, 3)).argmin()) for one in scene.numpy()]
    assert set(firsts) <= {0, 12}
    np.testing.assert_allclose(before.numpy(), latents[firsts].astype(float) + 1, atol=1e-3)
    # Each latent is one of its piece's, give or take the noise.
    piece = dreamed.latents[(np.array(firsts) // 12)[row.numpy()]].astype(float)
    apart = np.abs(piece - latent.numpy()[:, None]).mean(axis=(2, 3))
    assert (apart.min(axis=1) < 0.2).all() and len(set(apart.argmin(axis=1))) > 2


def test_training_brings_pictures_nearer_to_what_came(source, autoencoder):
    """On one scene again and again: the still half is copied, the rest is learned."""
    frames = source.frames.copy()
    frames[:] = frames[0]
    frames[:, :, 64:] = (np.arange(96) % 12 * 20)[:, None, None, None]
    still = dataclasses.replace(source, frames=frames)
    latents = np.zeros((96, TOKENS, CHANNELS), np.float16)
    latents[:, :, 0] = (np.arange(96) % 12 / 4 - 1.5)[:, None]
    torch.manual_seed(0)
    model, generator = SceneDecoder(autoencoder), np.random.default_rng(0)
    loss = scene_decoder_loss(still, drawer(still, latents), 2, 4)

    def error() -> float:
        """Over the same batch with the same noise."""
        torch.manual_seed(1)
        return loss(model, np.random.default_rng(1), 0.0)[0].item()

    before, optimiser = error(), torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(12):
        optimiser.zero_grad()
        loss(model, generator, 0.0)[0].backward()
        optimiser.step()
    assert error() < 0.9 * before


TINY = TrainingSettings(
    horizon=4, width=32, layers=1, autoencoder_steps=2, denoiser_steps=2, value_steps=2,
    inverse_dynamics_steps=2, autoencoder_batch=8, denoiser_batch=4, value_batch=16,
    inverse_dynamics_batch=16, denoising_steps=2,
)  # fmt: skip
ADDED = dataclasses.replace(
    TINY, autoencoder_steps=0, denoiser_steps=0, value_steps=0, inverse_dynamics_steps=0,
    scene_decoder_steps=2, scene_decoder_batch=2,
)  # fmt: skip


def weights_in(graph: bytes) -> dict[str, np.ndarray]:
    """Parameters and statistics by name; the exporter numbers its own constants."""
    tensors = onnx.load_from_string(graph).graph.initializer
    return {
        t.name: numpy_helper.to_array(t) for t in tensors if t.name.count(".") and "/" not in t.name
    }


def test_it_is_added_to_shipped_models_without_changing_any_of_them(source, tmp_path):
    from wm_planner.bundle import SCENE_DECODER, WORLD_MODEL, load_bundle
    from wm_planner.training.bundles import export_run

    first = Run(tmp_path / "first", TINY, source)
    for stage in first.stages:
        first.train(stage)
    fitted = first.load("inverse_dynamics")
    for name in CALIBRATED:
        fitted.get_buffer(name).uniform_(0.1, 0.5)
    torch.save(fitted.state_dict(), first.folder / "inverse_dynamics" / "model.pt")
    export_run(first, tmp_path / "shipped", None)
    shipped = load_bundle(tmp_path / "shipped" / "world_model", WORLD_MODEL)
    assert SCENE_DECODER not in shipped.graphs

    again = Run(tmp_path / "again", ADDED, source, start=WarmStart(tmp_path / "shipped"))
    assert again.stages == ("scene_decoder",)
    kept = again.load("inverse_dynamics")
    for name in CALIBRATED:
        assert torch.equal(kept.get_buffer(name), fitted.get_buffer(name)), name
    again.train("scene_decoder")
    export_run(again, tmp_path / "added", None)
    for kind in ("world_model", "inverse_dynamics"):
        old, new = (load_bundle(tmp_path / name / kind, kind) for name in ("shipped", "added"))
        for name, graph in old.graphs.items():
            before, after = weights_in(graph), weights_in(new.graphs[name])
            same = before.keys() & after.keys()  # of equal tensors the exporter may keep one
            assert len(same) > max(3, 0.9 * len(before))
            for key in same:
                np.testing.assert_array_equal(after[key], before[key], err_msg=f"{name}: {key}")
    assert SCENE_DECODER in load_bundle(tmp_path / "added" / "world_model", WORLD_MODEL).graphs

    # Weights that were trained elsewhere, on the same autoencoder, are exported with the others.
    (first.folder / "scene_decoder").mkdir()
    weights = (again.folder / "scene_decoder" / "model.pt").read_bytes()
    (first.folder / "scene_decoder" / "model.pt").write_bytes(weights)
    export_run(first, tmp_path / "combined", None)
    both = [load_bundle(tmp_path / n / "world_model", WORLD_MODEL) for n in ("added", "combined")]
    assert both[0].graphs[SCENE_DECODER] == both[1].graphs[SCENE_DECODER]


def test_certainty_that_a_bundle_does_not_hold_is_not_made_up(source, tmp_path, monkeypatch):
    from wm_planner.training.bundles import export_run

    first = Run(tmp_path / "first", TINY, source)
    for stage in first.stages:
        first.train(stage)
    export_run(first, tmp_path / "shipped", None)
    start, model = WarmStart(tmp_path / "shipped"), first.fresh("inverse_dynamics")
    known = first.vocabulary, first.settings.channels
    start.take_over(model, "inverse_dynamics", *known)  # never fitted: all the same
    weights = start._weights(model, "inverse_dynamics", first.vocabulary)
    earlier = {k: v for k, v in weights.items() if not k.startswith("dreamed_")}
    earlier |= {"log_scale": torch.ones(20), "correlation": torch.zeros(20)}
    monkeypatch.setattr(WarmStart, "_weights", lambda *_: earlier)
    with pytest.raises(DataError, match="dreamed_correlation is not in the bundle"):
        start.take_over(model, "inverse_dynamics", *known)


def test_keeping_an_autoencoder_needs_one_that_fits(source, tmp_path):
    with pytest.raises(ConfigurationError, match=r"autoencoder_steps is 0.*name one"):
        Run(tmp_path / "none", ADDED, source)
    first = Run(tmp_path / "first", TINY, source)
    first.train("autoencoder")
    narrow = dataclasses.replace(ADDED, channels=8)
    with pytest.raises(DataError, match=r"autoencoder cannot be kept: .* this configuration has"):
        Run(tmp_path / "narrow", narrow, source, start=WarmStart(first.folder))

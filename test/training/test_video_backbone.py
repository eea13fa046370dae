"""A real image-to-video network of diffusers, tiny and untrained, as a causal world model."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
diffusers = pytest.importorskip("diffusers", reason="video models need the [diffusers] extra")

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.causal_conversion import first_leak, make_causal  # noqa: E402
from wm_planner.training.loop import LoopSettings, train  # noqa: E402
from wm_planner.training.networks.video_backbone import (  # noqa: E402
    VideoBackbone,
    open_video_backbone,
)
from wm_planner.training.video_sampling import dream_video  # noqa: E402
from wm_planner.training.video_training import (  # noqa: E402
    Clips,
    VideoTrainingSettings,
    action_shuffle_ratio,
    clip_error,
    video_loss,
)

FRAMES, SIZE = 5, 4
SVD = {
    "sample_size": SIZE,
    # More channels than a norm has groups (32): else it takes out what is added to a channel.
    "block_out_channels": (32, 64),
    "down_block_types": ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
    "layers_per_block": 1,
    "num_attention_heads": 2,
    "cross_attention_dim": 16,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 24,
    "num_frames": FRAMES,
}


def fresh_unet():
    torch.manual_seed(0)
    return diffusers.UNetSpatioTemporalConditionModel(**SVD).eval()


def randomised(backbone):
    """What starts at zero would hide dependencies."""
    for parameter in backbone.action.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.nn.init.normal_(backbone.no_action, std=0.3)
    return backbone.eval()


def inputs(seed=1, count=2):
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(count, *shape, generator=generator)

    return {
        "noisy": randn(FRAMES, 4, SIZE, SIZE),
        "sigma": randn(FRAMES).exp(),
        "image": randn(4, SIZE, SIZE),
        "context": randn(1, 16),
        "time_ids": torch.tensor([[4.0, 127.0, 0.02]]).expand(count, -1),
        "action": randn(FRAMES, 20),
        "action_given": torch.ones(count, FRAMES),
    }


def test_the_whole_converted_unet_is_strictly_causal_and_the_original_is_not():
    unet, given = fresh_unet(), inputs()

    def run(frames):
        return unet(frames, 1.0, given["context"], given["time_ids"], return_dict=False)[0]

    frames = torch.randn(2, FRAMES, 8, SIZE, SIZE)
    assert first_leak(run, frames)
    done = make_causal(unet)
    # Two temporal convolutions per spatio-temporal residual block, two attentions per transformer.
    blocks = [type(module).__name__ for module in unet.modules()]
    assert len(done.convolutions) == 2 * blocks.count("SpatioTemporalResBlock")
    assert len(done.attentions) == 2 * blocks.count("TemporalBasicTransformerBlock") > 0
    assert first_leak(run, frames) is None


@pytest.mark.parametrize("left_out", ["convolutions", "attentions", "norms"])
def test_every_part_of_the_conversion_is_needed(left_out):
    """Put one kind of layer back as it was: the future must be seen again."""
    unet, given = fresh_unet(), inputs()
    original = copy.deepcopy(unet)
    for name in getattr(make_causal(unet), left_out):
        parent, _, leaf = name.rpartition(".")
        setattr(unet.get_submodule(parent), leaf, original.get_submodule(name))

    def run(frames):
        return unet(frames, 1.0, given["context"], given["time_ids"], return_dict=False)[0]

    assert first_leak(run, torch.randn(2, FRAMES, 8, SIZE, SIZE), tolerance=1e-6)


CROSS_3D = {
    "sample_size": SIZE,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "cross_attention_dim": 16,
    "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
    "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
    "attention_head_dim": 8,
}


def model_scope():
    """Text to video."""
    unet = diffusers.UNet3DConditionModel(**CROSS_3D)
    return unet, lambda x: unet(x, 1.0, torch.ones(1, 3, 16), return_dict=False)[0]


def animate_diff():
    """Text to pictures with a motion adapter."""
    unet = diffusers.UNetMotionModel(
        **{key: value for key, value in CROSS_3D.items() if key != "attention_head_dim"}
        | {"down_block_types": ("CrossAttnDownBlockMotion", "DownBlockMotion")}
        | {"up_block_types": ("UpBlockMotion", "CrossAttnUpBlockMotion")},
        num_attention_heads=2,
        motion_num_attention_heads=2,
    )
    return unet, lambda x: unet(x, 1.0, torch.ones(FRAMES, 3, 16), return_dict=False)[0]


def i2vgen_xl():
    """Text and picture to video; the picture's latents go through layers in time too."""
    unet = diffusers.I2VGenXLUNet(**CROSS_3D)
    more = {
        "fps": torch.tensor([8]),
        "image_embeddings": torch.ones(1, 16),
        "encoder_hidden_states": torch.ones(1, 3, 16),
        "return_dict": False,
    }
    return unet, lambda x: unet(x, 1.0, image_latents=x, **more)[0]


@pytest.mark.parametrize("build", [model_scope, animate_diff, i2vgen_xl])
def test_other_video_networks_are_made_causal_too(build):
    torch.manual_seed(0)
    unet, run = build()
    for parameter in unet.eval().parameters():  # some of its temporal layers start at zero
        if parameter.numel():
            torch.nn.init.normal_(parameter, std=0.05)
    frames = torch.randn(1, 4, FRAMES, SIZE, SIZE)
    assert first_leak(run, frames, axis=2)
    make_causal(unet)
    assert first_leak(run, frames, axis=2) is None


def test_the_network_of_full_size_is_converted_whole():
    with torch.device("meta"):  # shapes, no numbers
        backbone = VideoBackbone(diffusers.UNetSpatioTemporalConditionModel())
    assert len(backbone.conversion.convolutions) == 44  # 22 residual blocks
    assert len(backbone.conversion.attentions) == 32  # 16 transformers


@pytest.mark.parametrize("name", ["noisy", "sigma", "action", "action_given"])
@torch.no_grad()
def test_the_backbone_is_causal_in_every_input_that_belongs_to_a_frame(name):
    backbone, given = randomised(VideoBackbone(fresh_unet())), inputs()
    before = backbone(**given)
    changed = given[name].clone()
    changed[:, 3:] = changed[:, 3:] * 0.5 if name != "action_given" else 0
    after = backbone(**{**given, name: changed})
    torch.testing.assert_close(after[:, :3], before[:, :3], rtol=1e-4, atol=1e-5)
    assert (after[:, 3:] - before[:, 3:]).abs().max() > 1e-3


@torch.no_grad()
def test_before_training_it_is_the_converted_network_whatever_the_actions():
    unet, given = fresh_unet(), inputs()
    backbone = VideoBackbone(copy.deepcopy(unet)).eval()
    make_causal(unet)
    sigma = torch.full((2, FRAMES), 3.0)
    scale = (3.0**2 + 1) ** 0.5
    image = given["image"][:, None].expand(-1, FRAMES, -1, -1, -1)
    own = unet(
        torch.cat([given["noisy"] / scale, image], 2), torch.tensor(0.25 * np.log(3.0)),
        given["context"], given["time_ids"], return_dict=False,
    )[0]  # fmt: skip
    expected = given["noisy"] / scale**2 - own * 3.0 / scale
    torch.testing.assert_close(backbone(**given | {"sigma": sigma}), expected)


@torch.no_grad()
def test_an_action_that_is_not_given_does_not_matter():
    backbone = randomised(VideoBackbone(fresh_unet()))
    given = inputs() | {"action_given": torch.zeros(2, FRAMES)}
    other = given | {"action": torch.zeros(2, FRAMES, 20)}
    torch.testing.assert_close(backbone(**given), backbone(**other))


@torch.no_grad()
def test_it_loads_a_pipelines_unet_and_what_it_wrote_itself(tmp_path):
    unet, given = fresh_unet(), inputs()
    unet.save_pretrained(tmp_path / "svd" / "unet")
    backbone = randomised(open_video_backbone(tmp_path / "svd"))
    backbone.action_mean += 0.5
    backbone.save(tmp_path / "mine")
    expected = backbone(**given)
    torch.testing.assert_close(open_video_backbone(tmp_path / "mine").eval()(**given), expected)
    # Its unet alone is known to be causal too: nothing is extrapolated a second time.
    alone = open_video_backbone(tmp_path / "mine" / "unet").unet.state_dict()
    for name, value in backbone.unet.state_dict().items():
        torch.testing.assert_close(alone[name], value, msg=name)


def test_wrong_folders_and_other_networks_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere: no config\.json of a network"):
        open_video_backbone(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    with pytest.raises(ConfigurationError, match="holds a UNet2DModel, expected a UNetSpatio"):
        open_video_backbone(tmp_path)
    with pytest.raises(ConfigurationError, match="backbone is a Linear"):
        VideoBackbone(torch.nn.Linear(2, 2))


def draw_clips(generator: np.random.Generator, count: int = 16) -> Clips:
    """A world in which only the action says how the picture changes.

    The first number of an action is 1 or -1, and with it a fixed pattern is added or taken away.
    """
    pattern = torch.linspace(-1.5, 1.5, SIZE).view(1, 1, 1, 1, SIZE)
    actions = torch.from_numpy(generator.normal(0, 1, (count, FRAMES, 20)).astype(np.float32))
    actions[..., 0] = actions[..., 0].sign()
    actions[:, 0] = 0
    first = torch.from_numpy(generator.normal(0, 0.5, (count, 1, 4, 1, 1)).astype(np.float32))
    change = actions[..., 0].cumsum(1)[..., None, None, None] * pattern
    latents = (first + change).expand(-1, -1, 4, SIZE, SIZE).contiguous()
    return Clips(latents, latents[:, 0], torch.zeros(count, 1, 16), actions)


def draw_clips_with_wrong_actions(generator: np.random.Generator) -> Clips:
    """The control: the same videos, each with the actions of another."""
    clips = draw_clips(generator)
    return dataclasses.replace(clips, actions=clips.actions.roll(1, 0))


def figures(model: VideoBackbone, settings: VideoTrainingSettings) -> tuple[float, float]:
    """Error of the dreams and the action-shuffle ratio, on one held-out batch and fixed noise."""
    clips = draw_clips(np.random.default_rng(99), 32)
    noise = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(5))
    sigma = torch.full(clips.latents.shape[:2], 5.0)
    with torch.no_grad():
        error, _ = clip_error(model, clips, sigma, torch.ones_like(sigma), noise, settings)
    generator = torch.Generator().manual_seed(6)
    return float(error.mean()), action_shuffle_ratio(model, clips, generator, 5.0, settings)


def agreement(model: VideoBackbone, settings: VideoTrainingSettings, **options) -> float:
    """Correlation of the changes that were asked for with those in dreams from pure noise."""
    clips = draw_clips(np.random.default_rng(98))
    noise = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(7))
    hidden = clips.latents.clone()
    hidden[:, 1:] = torch.nan  # the future is not looked at
    hidden = dataclasses.replace(clips, latents=hidden)
    dream = dream_video(
        model, hidden, noise, steps=5, settings=settings, largest_sigma=20.0, **options
    )
    torch.testing.assert_close(dream[:, 0], clips.latents[:, 0])
    slope = (dream[..., SIZE // 2 :].mean(-1) - dream[..., : SIZE // 2].mean(-1)).mean((2, 3))
    asked = clips.actions[:, 1:, 0]  # (N, F - 1)
    result = float(
        torch.corrcoef(torch.stack([slope.diff(dim=1).flatten(), asked.flatten()]))[0, 1]
    )
    print(f"agreement {result:.2f} {options}")
    return result


@pytest.mark.slow
@pytest.mark.parametrize("draw", [draw_clips, draw_clips_with_wrong_actions])
def test_a_few_steps_of_fine_tuning_lower_the_loss_and_make_actions_matter(draw, tmp_path):
    settings = VideoTrainingSettings(clip_dropout=0.1, log_sigma_mean=1.0, shared_level=1.0)
    backbone = VideoBackbone(fresh_unet())
    error_before, ratio_before = figures(backbone, settings)
    assert ratio_before == pytest.approx(1.0)
    run = LoopSettings(steps=60, learning_rate=6e-3, warmup=10, average=0.9)
    trained = train(backbone, video_loss(draw, settings), run, tmp_path)
    assert isinstance(trained, VideoBackbone)
    error, ratio = figures(trained, settings)
    print(f"error {error_before:.3f} -> {error:.3f}, ratio {ratio_before:.3f} -> {ratio:.3f}")
    if draw is draw_clips:
        assert error < 0.4 * error_before
        assert ratio > 1.3
        assert agreement(trained, settings) > 0.5
        assert agreement(trained, settings, guidance=2.0) > 0.5
    else:
        assert ratio == pytest.approx(1.0, abs=0.1)
        assert abs(agreement(trained, settings)) < 0.25
    given = inputs() | {"context": torch.zeros(2, 1, 16)}
    assert first_leak(lambda noisy: trained(**given | {"noisy": noisy}), given["noisy"]) is None

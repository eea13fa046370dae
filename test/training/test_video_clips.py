"""Clips for fine-tuning: encoded by a pipeline's frozen parts, with the actions that led there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny_pipelines

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
for name in ("diffusers", "transformers"):
    pytest.importorskip(name, reason="video models need the [diffusers] extra")

from wm_planner import actions  # noqa: E402
from wm_planner.errors import ConfigurationError, DataError  # noqa: E402
from wm_planner.training.loop import LoopSettings, train  # noqa: E402
from wm_planner.training.networks.video_backbone import (  # noqa: E402
    VideoBackbone,
    open_video_backbone,
)
from wm_planner.training.video_clips import (  # noqa: E402
    EncodedFrames,
    VideoClips,
    encode_frames,
)
from wm_planner.training.video_training import video_loss  # noqa: E402


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_pipelines.save_stable_video_diffusion(tmp_path_factory.mktemp("svd"))


def test_clips_are_consecutive_and_actions_lead_from_frame_to_frame(source):
    count = len(source.frames)
    numbers = np.arange(count, dtype=np.float64)
    encoded = EncodedFrames(
        np.broadcast_to(numbers[:, None, None, None], (count, 4, 2, 2)), numbers[:, None], 2.0
    )
    clips = VideoClips(source, encoded, frames=5, batch=64)(np.random.default_rng(0))
    number = (clips.latents[:, :, 0, 0, 0] / 2).numpy().astype(int)
    assert (np.diff(number) == 1).all()
    episode = number // 12
    assert (episode == episode[:, :1]).all()
    assert not (np.array(source.kind)[episode[:, 0]] == "stills").any()
    np.testing.assert_array_equal(clips.image[:, 0, 0, 0], number[:, 0])
    np.testing.assert_array_equal(clips.context[:, 0, 0], number[:, 0])
    start = actions.unpack(source.hand_pose[number[:, :-1]])
    reached = actions.pack(actions.decode(start, clips.actions[:, 1:].numpy().astype(float)))
    target = actions.unpack(source.hand_target[number[:, :-1]])
    np.testing.assert_allclose(reached, actions.pack(target), atol=1e-6)
    assert (clips.actions[:, 0] == 0).all()


def test_episodes_that_are_too_short_are_named(source):
    encoded = EncodedFrames(np.zeros((96, 4, 2, 2)), np.zeros((96, 8)), 1.0)
    with pytest.raises(DataError, match="no episode holds 13 frames in a row, the longest has 12"):
        VideoClips(source, encoded, frames=13, batch=1)


def test_frames_are_encoded_as_the_pipeline_itself_does(checkpoint, source):
    import PIL.Image
    from diffusers import StableVideoDiffusionPipeline

    pipeline = StableVideoDiffusionPipeline.from_pretrained(checkpoint)
    frames = source.frames[:3]
    encoded = encode_frames(checkpoint, frames, batch=2)
    image = PIL.Image.fromarray(frames[2])
    pixels = pipeline.video_processor.preprocess(image, height=96, width=128)
    with torch.no_grad():
        latent = pipeline._encode_vae_image(pixels, "cpu", 1, False)
        embedding = pipeline._encode_image(image, "cpu", 1, False)
    assert encoded.scaling == pipeline.vae.config.scaling_factor
    np.testing.assert_allclose(encoded.latents[2], latent[0], atol=2e-3, rtol=2e-3)
    # The pipeline blurs before it resizes, so here the two agree only roughly.
    assert np.corrcoef(encoded.embeddings[2], embedding[0, 0])[0, 1] > 0.99


def test_a_checkpoint_is_fine_tuned_on_episodes_and_saved(checkpoint, source, tmp_path):
    source = dataclasses.replace(source, frames=source.frames[:, ::4, ::4])  # 24 x 32
    clips = VideoClips(source, encode_frames(checkpoint, source.frames), frames=4, batch=2)
    backbone = open_video_backbone(checkpoint, *clips.action_statistics)
    first = {name: value.clone() for name, value in backbone.named_parameters()}
    run = LoopSettings(steps=3, learning_rate=1e-3, warmup=1, average=0.0)
    trained = train(backbone, video_loss(clips), run, tmp_path / "run")
    same = [name for name, value in trained.named_parameters() if torch.equal(value, first[name])]
    # Attention to the one token of the picture needs neither query nor key.
    assert not [name for name in same if "attn2.to_q" not in name and "attn2.to_k" not in name]
    assert isinstance(trained, VideoBackbone)
    trained.save(tmp_path / "mine")
    again = open_video_backbone(tmp_path / "mine")
    torch.testing.assert_close(again.action_mean, clips.action_statistics[0])


def test_another_folder_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="vae, image_encoder and feature_extractor"):
        encode_frames(tmp_path, np.zeros((1, 16, 16, 3), np.uint8))

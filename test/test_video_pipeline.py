"""Image-to-video pipelines of diffusers: real classes, tiny and untrained; mistakes are named."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_pipelines

from wm_planner.errors import ConfigurationError, DataError
from wm_planner.video_pipeline import VideoPipeline

IMAGE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
OLD_EULER = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def need_diffusers() -> None:
    for name in ("torch", "diffusers", "transformers"):
        pytest.importorskip(name, reason="video models need the [diffusers] extra")


@pytest.fixture(scope="module")
def wan(tmp_path_factory) -> VideoPipeline:
    need_diffusers()
    folder = tiny_pipelines.save_wan(tmp_path_factory.mktemp("wan"))
    return VideoPipeline(folder, "float32", "cpu")


def make(pipeline: VideoPipeline, image=IMAGE, prompt="go home", seed=1, frames=5) -> np.ndarray:
    return pipeline.generate(image, prompt, frames, fps=10.0, seed=seed, steps=2, guidance=3.0)


def test_the_same_seed_makes_the_same_video_and_everything_else_another_one(wan):
    video = make(wan)
    assert video.shape == (5, 48, 64, 3) and video.dtype == np.uint8
    np.testing.assert_array_equal(make(wan), video)
    for other in (make(wan, seed=2), make(wan, prompt="lift both hands"), make(wan, IMAGE[::-1])):
        assert (other != video).mean() > 0.01


def test_the_number_of_frames_is_one_that_the_decoder_can_make(wan):
    assert [wan.possible_frames(n) for n in (1, 2, 5, 6, 49)] == [1, 5, 5, 9, 49]


def test_a_size_that_it_cannot_make_is_named(wan):
    with pytest.raises(ConfigurationError, match=r"WanImageToVideoPipeline .*\b50\b"):
        make(wan, IMAGE[:46, :50])


def test_nan_in_a_video_is_an_error(wan, monkeypatch):
    class Output:
        frames = np.full((1, 5, 48, 64, 3), np.nan)

    monkeypatch.setattr(wan, "_pipeline", lambda **_: Output)
    with pytest.raises(DataError, match="NaN in it; try dtype float32"):
        make(wan)


@OLD_EULER
def test_a_pipeline_without_text_and_with_other_names_runs_too(tmp_path, caplog):
    need_diffusers()
    folder = tiny_pipelines.save_stable_video_diffusion(tmp_path)
    pipeline = VideoPipeline(folder, "float32", "cpu")
    assert "StableVideoDiffusionPipeline takes no text" in caplog.text
    assert pipeline.possible_frames(6) == 6
    video = make(pipeline, frames=6)
    assert video.shape == (6, 48, 64, 3)
    np.testing.assert_array_equal(make(pipeline, prompt="lift", frames=6), video)
    # Its own names for guidance and frame rate are understood.
    stronger = pipeline.generate(IMAGE, "", 6, fps=10.0, seed=1, steps=2, guidance=9.0)
    faster = pipeline.generate(IMAGE, "", 6, fps=30.0, seed=1, steps=2, guidance=3.0)
    assert (stronger != video).any() and (faster != video).any()


def test_a_pipeline_of_another_kind_is_refused(tmp_path):
    need_diffusers()
    folder = tiny_pipelines.save_unconditional(tmp_path)
    with pytest.raises(ConfigurationError, match="is a DDPMPipeline, expected an image-to-video"):
        VideoPipeline(folder, "float32", "cpu")


def test_a_damaged_checkpoint_is_one_line(tmp_path):
    need_diffusers()
    (tmp_path / "model_index.json").write_text('{"_class_name": "WanImageToVideoPipelin"}')
    with pytest.raises(ConfigurationError, match=r"cannot be loaded: .*VideoPipelin") as e:
        VideoPipeline(tmp_path)
    assert "\n" not in str(e.value)


def test_a_missing_cuda_device_is_named(tmp_path, monkeypatch):
    need_diffusers()
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="device is 'cuda', torch finds no CUDA device"):
        VideoPipeline(tmp_path, device="cuda")


def test_a_wrong_path_is_named_before_anything_is_imported(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ConfigurationError, match="checkpoint /nowhere/wan is no folder; expected"):
        VideoPipeline(Path("/nowhere/wan"))
    with pytest.raises(ConfigurationError, match=r"has no model_index\.json; expected a pipeline"):
        VideoPipeline(tmp_path)


def test_without_diffusers_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "model_index.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'wm_planner\[diffusers\]'"):
        VideoPipeline(tmp_path)

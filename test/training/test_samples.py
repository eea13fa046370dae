"""Samples on the way: they show what they say, and training goes as if nobody had looked."""

from __future__ import annotations

import dataclasses

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.training import samples  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.samples import DenoiserSamples, various  # noqa: E402
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402

TINY = TrainingSettings(
    horizon=4, width=32, layers=1, autoencoder_steps=5, denoiser_steps=5, value_steps=2,
    inverse_dynamics_steps=2, autoencoder_batch=8, denoiser_batch=4, value_batch=16,
    inverse_dynamics_batch=16, checkpoint_every=2, denoising_steps=2, samples_every=1,
    scene_decoder_steps=5, scene_decoder_batch=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def sampled(tmp_path_factory, source):
    run = Run(tmp_path_factory.mktemp("sampled"), TINY, source)
    for stage in run.stages:
        run.train(stage)
    return run


def assert_same_weights(one, other, stage):
    for (name, a), b in zip(
        one.load(stage).state_dict().items(), other.load(stage).state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=f"{stage}: {name}")


def test_training_without_samples_ends_in_bit_exactly_the_same_weights(sampled, tmp_path, source):
    plain = Run(tmp_path, dataclasses.replace(TINY, samples_every=0), source)
    for stage in plain.stages:
        plain.train(stage)
        assert_same_weights(sampled, plain, stage)
    assert not (tmp_path / "samples").exists()
    Run(tmp_path, TINY, source)  # whether to look is no matter of the run


@pytest.mark.parametrize("stage", ["autoencoder", "denoiser", "scene_decoder"])
def test_a_run_stopped_while_it_draws_goes_on_bit_exactly(
    sampled, tmp_path, source, monkeypatch, stage
):
    run = Run(tmp_path, TINY, source)
    for before in run.stages[: run.stages.index(stage)]:
        run.train(before)

    def stop(*args, **kwargs):
        torch.rand(3)  # what was drawn by then is forgotten
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(samples, "write_picture", stop)
        with pytest.raises(KeyboardInterrupt):
            run.train(stage)
    run.train(stage)
    assert_same_weights(sampled, run, stage)


def test_there_are_samples_of_every_checkpoint_and_of_the_end(sampled):
    names = {path.name for path in (sampled.folder / "samples").iterdir()}
    steps = ("000002", "000004", "000005")
    assert names == {
        *(f"{name}_step_{step}.png" for step in steps for name in ("autoencoder", "scene_decoder")),
        *(f"step_{step}.{kind}" for step in steps for kind in ("mp4", "png")),
    }
    with av.open(str(sampled.folder / "samples" / "step_000004.mp4")) as container:
        stream = container.streams.video[0]
        assert sum(1 for _ in container.decode(stream)) == TINY.context_frames + TINY.horizon
        assert stream.average_rate == 5  # as fast as it was


def test_columns_are_the_recording_its_reconstruction_and_two_dreams(sampled, source, monkeypatch):
    asked = []

    def dream(model, context, words, targets, given, outcome, *rest):
        asked.append((bool(words.any()), given, outcome))
        level = 30.0 if given else -30.0  # far from any latent that was trained on for 5 steps
        return np.full((len(context), TINY.horizon, *context.shape[2:]), level, np.float32)

    monkeypatch.setattr(samples, "dream", dream)
    sampler, model = DenoiserSamples(sampled), sampled.load("denoiser")
    real, reconstructed, acted, free = sampler._films(model)
    assert asked == [(False, 1.0, samples.UNKNOWN), (True, 0.0, samples.SUCCESS)]
    past = TINY.context_frames
    frames = sampler._drawn.frame[sampler._rows]
    np.testing.assert_array_equal(real, source.frames[frames])
    for dreamed, other in ((acted, free), (free, reconstructed), (reconstructed, acted)):
        np.testing.assert_array_equal(dreamed[:, :past], other[:, :past])  # what was seen
        assert not np.array_equal(dreamed[:, past:], other[:, past:])


def test_the_same_network_is_drawn_alike_at_any_time(sampled):
    films = [DenoiserSamples(sampled)._films(sampled.load("denoiser")) for _ in range(2)]
    for one, other in zip(*films, strict=True):
        np.testing.assert_array_equal(one, other)


def test_windows_that_went_well_come_first_one_of_each_task(sampled):
    drawn = DenoiserSamples(sampled)._drawn
    count = len(drawn.outcome)
    tasks = [("a", "b", "c")[i % 3] for i in range(count)]
    good = np.zeros(count, int)
    good[[4, 5]] = samples.SUCCESS  # of b and c
    rows = various(tasks, dataclasses.replace(drawn, outcome=good), 4)
    assert rows[:3].tolist() == [4, 5, 0] and len(set(rows.tolist())) == 4


def test_tensorboard_gets_the_pictures(sampled):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(sampled.folder / "denoiser" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Images("samples")] == [2, 4, 5]

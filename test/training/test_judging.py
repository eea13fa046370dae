"""Heads that judge futures: the right pairs, and that a little training orders them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.errors import DataError  # noqa: E402
from wm_planner.training.autoencoder_training import encode_all  # noqa: E402
from wm_planner.training.instruction_training import instruction_loss  # noqa: E402
from wm_planner.training.judging import HOLD, Outcomes  # noqa: E402
from wm_planner.training.loop import LoopSettings, train  # noqa: E402
from wm_planner.training.networks.autoencoder import (  # noqa: E402
    Autoencoder,
    AutoencoderSettings,
)
from wm_planner.training.networks.instruction import Instruction  # noqa: E402
from wm_planner.training.networks.preference import Preference  # noqa: E402
from wm_planner.training.preference_training import (  # noqa: E402
    LabelledPairs,
    LabelledPictures,
    PairDrawer,
    encode_pairs,
    preference_loss,
)
from wm_planner.training.vocabulary import build_vocabulary  # noqa: E402

LENGTH = 12
STEPS = LoopSettings(steps=60, warmup=5, average=0.9)


@pytest.fixture
def latents(source):
    """(F, 2, 3): progress, whether it goes well, and nothing."""
    frames = np.zeros((len(source.frames), 2, 3), np.float16)
    frames[:, 0, 0] = np.tile(np.linspace(0, 1, LENGTH), len(source.kind))
    frames[:, 0, 1] = np.repeat(source.success, LENGTH)
    frames[:, 1, 2] = np.random.default_rng(0).normal(size=len(frames))
    return frames


def drawer(source, latents, frames=3, **more):
    vocabulary = build_vocabulary(source.instruction)
    return PairDrawer(source, latents, vocabulary, frames, **more)


def test_play_and_stills_are_neither_success_nor_failure(source):
    known = Outcomes(source)
    kind = np.asarray(source.kind)
    assert set(kind[known.succeeded]) == {"expert"} and set(kind[known.failed]) == {"failure"}
    assert all(set(kind[rivals]) == {"expert"} for rivals in known.rivals)


def test_a_future_that_begins_before_its_episode_repeats_the_first_frame(source):
    frames = Outcomes(source).ending_at(np.array([1, 1]), np.array([0, 5]), 3)
    np.testing.assert_array_equal(frames, [[12, 12, 12], [15, 16, 17]])


def test_better_is_a_success_or_later(source, latents, generator):
    better, worse, words = drawer(source, latents).draw(generator, 200)
    assert better.shape == worse.shape == (len(words), 3, 2, 3)
    newest = [side[:, -1, 0].astype(float) for side in (better, worse)]
    against = newest[1][:, 1] == 0
    assert 60 < against.sum() <= 100 and (newest[0][:, 1] == 1).all()
    np.testing.assert_array_equal(newest[0][against, 0], newest[1][against, 0])  # same moment
    later = newest[0][~against, 0] - newest[1][~against, 0]
    assert (later > 0).all()
    # Nothing is better than done: no pair lies within the frames that are held for.
    done = (LENGTH - 1 - HOLD) / (LENGTH - 1)
    assert (newest[1][~against, 0] < done).all()


def test_no_pair_spans_a_step_that_nobody_should_imitate(source, latents, generator):
    good = np.array(source.step_good)
    good[5::LENGTH] = False
    better, worse, _ = drawer(dataclasses.replace(source, step_good=good), latents).draw(
        generator, 400
    )
    later = worse[:, -1, 0, 1] == 1
    step = [np.round(side[later, -1, 0, 0] * (LENGTH - 1)) for side in (better, worse)]
    assert later.any() and not ((step[1] <= 5) & (step[0] > 5)).any()


def test_labels_are_drawn_as_often_as_asked(source, latents, generator):
    marked = np.full((4, 3, 2, 3), 7.0)
    pairs = LabelledPairs(marked, -marked, ("lift the cube",) * 4)
    better, worse, _ = drawer(source, latents, labelled=pairs, share=0.5).draw(generator, 400)
    labelled = better[:, 0, 0, 0] == 7
    assert 150 < labelled.sum() < 250
    assert (worse[labelled] == -7).all() and not (worse[~labelled] == -7).any()


def test_labelled_pictures_are_looked_at_from_their_end(source):
    sizes = AutoencoderSettings(channels=4, objects=1)
    torch.manual_seed(0)
    autoencoder = Autoencoder(sizes, torch.full((96, 128, 3), 100.0)).eval()
    one, five = source.frames[:1], source.frames[1:6]
    pairs = encode_pairs([LabelledPictures(five, one, "lift")], autoencoder, frames=3)
    wanted = encode_all(autoencoder, np.concatenate([five[-3:], one])).astype(float)
    np.testing.assert_allclose(pairs.better[0].astype(float), wanted[:3], atol=0.05)
    # A future of one frame has stood still.
    np.testing.assert_allclose(pairs.worse[0].astype(float), wanted[[3, 3, 3]], atol=0.05)
    assert pairs.instruction == ("lift",) and np.ptp(wanted, axis=0).max() > 0.1


def test_data_without_any_success_is_refused(source, latents):
    failed = dataclasses.replace(source, success=np.zeros(len(source.kind), bool))
    with pytest.raises(DataError, match="no episode succeeded"):
        drawer(failed, latents)
    with pytest.raises(DataError, match="no episode succeeded"):
        instruction_loss(failed, latents, build_vocabulary(source.instruction), 8)


def test_a_trained_preference_orders_outcomes_and_moments(source, latents, tmp_path):
    words = build_vocabulary(source.instruction)
    model = Preference(2, 3, 3, len(words), width=32)
    trained = train(model, preference_loss(drawer(source, latents), 64), STEPS, tmp_path)
    asked = torch.ones(1, len(words))

    def score(progress, success):
        latent = torch.zeros(1, 3, 2, 3)
        latent[..., 0, 0], latent[..., 0, 1] = progress, success
        return trained(latent, asked).item()

    assert score(0.2, 1) < score(0.7, 1)
    assert score(0.8, 0) < score(0.8, 1)


def test_a_trained_instruction_head_tells_the_end_from_the_beginning(source, latents, tmp_path):
    words = build_vocabulary(source.instruction)
    model = Instruction(2, 3, len(words), width=32)
    loss = instruction_loss(source, latents, words, 32)
    trained = train(model, loss, STEPS, tmp_path)
    progress = torch.zeros(2, 2, 3)
    progress[:, 0, 0], progress[:, 0, 1] = torch.tensor([0.1, 1.0]), 1.0
    early, late = trained(progress, torch.ones(2, len(words))).tolist()
    assert -1 <= early < late <= 1

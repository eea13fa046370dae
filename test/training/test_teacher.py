"""A denoiser that is trained on also learns from what it was before."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.noisy_windows import NoisyBatch  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.teacher import FILE, teacher_of  # noqa: E402
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402
from wm_planner.training.warm_start import WarmStart  # noqa: E402

SMALL = TrainingSettings(
    channels=8, horizon=4, width=32, layers=1, autoencoder_steps=3, denoiser_steps=3,
    inverse_dynamics_steps=3, value_steps=3, autoencoder_batch=8, denoiser_batch=4,
    inverse_dynamics_batch=16,
)  # fmt: skip
LARGER = dataclasses.replace(
    SMALL, channels=12, fine_channels=4, autoencoder_keep=True, denoiser_remember=0.75
)
OLD = SMALL.channels


@pytest.fixture(scope="module")
def small(tmp_path_factory, source):
    run = Run(tmp_path_factory.mktemp("small"), SMALL, source)
    for stage in run.stages:
        run.train(stage)
    return run


@pytest.fixture
def larger(small, tmp_path, source):
    return Run(tmp_path / "larger", LARGER, source, start=WarmStart(small.folder))


def window(channels, words):
    """A batch of two windows as the denoiser is given them."""
    future = (2, 4, 12, channels)
    context, targets = torch.randn(2, 2, 12, channels), torch.randn(2, 4, 20)
    conditions = (
        words, torch.randn(2, 12, channels), torch.ones(2, 1), targets, torch.ones(2, 4),
        torch.ones(2, dtype=torch.long),
    )  # fmt: skip
    return NoisyBatch(
        context[:, -1:], context, torch.randn(future), torch.randn(future), torch.rand(2, 4),
        conditions, None, None, targets, torch.zeros(2, dtype=torch.bool),
    )  # fmt: skip


@torch.no_grad()
def test_the_target_is_in_part_what_was_predicted(small, larger):
    teacher = teacher_of(larger)
    words = torch.zeros(2, len(larger.vocabulary))
    words[:, 0] = 1
    drawn = window(LARGER.channels, words)
    wanted, clean = teacher.mixed_in(drawn), drawn.clean
    cut = [drawn.conditions[0], drawn.conditions[1][..., :OLD], *drawn.conditions[2:]]
    told = small.load("denoiser")(
        drawn.context[..., :OLD], drawn.noisy[..., :OLD], drawn.signal, *cut
    )
    expected = 0.25 * clean[..., :OLD] + 0.75 * told
    torch.testing.assert_close(wanted[..., :OLD], expected)
    # What it knew nothing of is learnt from recordings alone.
    torch.testing.assert_close(wanted[..., OLD:], clean[..., OLD:], rtol=0, atol=0)


@torch.no_grad()
def test_of_new_words_only_recordings_tell(larger):
    teacher = teacher_of(larger)
    teacher.knows[-1] = 0
    words = torch.zeros(2, len(larger.vocabulary))
    words[:, 0] = 1
    words[1, -1] = 1
    drawn = window(LARGER.channels, words)
    wanted = teacher.mixed_in(drawn)
    assert not torch.equal(wanted[0], drawn.clean[0])
    torch.testing.assert_close(wanted[1], drawn.clean[1], rtol=0, atol=0)


@torch.no_grad()
def test_of_near_misses_only_recordings_tell(larger):
    teacher = teacher_of(larger)
    drawn = window(LARGER.channels, torch.zeros(2, len(larger.vocabulary)))
    drawn = dataclasses.replace(drawn, missed=torch.tensor([False, True]))
    wanted = teacher.mixed_in(drawn)
    assert not torch.equal(wanted[0], drawn.clean[0])
    torch.testing.assert_close(wanted[1], drawn.clean[1], rtol=0, atol=0)


def test_a_network_that_remembers_stays_nearer(small, tmp_path, source):
    """Of a long and coarse training, with and without."""
    moved = []
    for share in (0.0, 1.0):
        settings = dataclasses.replace(
            SMALL, autoencoder_steps=0, inverse_dynamics_steps=0, value_steps=0, denoiser_steps=60,
            command_weight=0.0, denoiser_remember=share,
        )  # fmt: skip
        run = Run(tmp_path / str(share), settings, source, start=WarmStart(small.folder))
        trained, known = run.train("denoiser"), small.load("denoiser")
        words = torch.zeros(2, len(run.vocabulary))
        drawn = window(OLD, words)
        given = (drawn.context, drawn.noisy, drawn.signal, *drawn.conditions)
        with torch.no_grad():
            change = trained(*given) - known(*given)
        moved.append(change.square().mean().item())
    assert moved[1] < 0.5 * moved[0]


def test_a_run_goes_on_without_naming_the_start_again(larger, source):
    larger.train("autoencoder")
    larger.train("inverse_dynamics")
    first = larger.train("denoiser").state_dict()
    (larger.folder / "denoiser" / "model.pt").unlink()
    again = Run(larger.folder, LARGER, source)  # names none
    known = torch.load(larger.folder / "denoiser" / FILE, weights_only=True)
    assert known["channels"] == OLD
    again = again.train("denoiser").state_dict()
    assert all(torch.equal(again[name], value) for name, value in first.items())


@pytest.mark.parametrize(
    ("change", "start", "said"),
    [
        ({}, False, "remembers the denoiser of --start-from: name one for simulated_bimanual"),
        ({"autoencoder_keep": False}, True, "set autoencoder_keep, or autoencoder_steps to 0"),
        ({"shortcut": True}, True, "and shortcut is true: expected one of the two"),
    ],
)
def test_what_cannot_be_remembered_is_refused(small, tmp_path, source, change, start, said):
    settings = dataclasses.replace(LARGER, **change)
    run = Run(tmp_path, settings, source, start=WarmStart(small.folder) if start else None)
    with pytest.raises(ConfigurationError, match=f"denoiser_remember is 0.75.*{said}"):
        teacher_of(run)

"""Sliding windows: nothing is lost, nothing counts twice, and sure answers count for more."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner import actions
from wm_planner.inverse_dynamics.sliding_windows import cut_windows, lay_out, merge


def random_packed(generator, *lead) -> np.ndarray:
    return actions.pack(actions.unpack(generator.uniform(-1, 1, (*lead, 20))))


@pytest.mark.parametrize(("frames", "window"), [(9, 2), (9, 4), (4, 4), (3, 5), (2, 8)])
def test_that_every_pair_of_frames_is_answered_where_it_is(generator, frames, window):
    """A model that repeats its frames' numbers must be quoted pair by pair, short or long."""
    sequence = generator.normal(size=(3, frames, 2))
    windows = cut_windows(sequence, window)
    assert windows.shape == (max(frames - window, 0) + 1, 3, window, 2)
    laid, said = lay_out(windows[:, :, 1:], frames - 1)
    assert said.any(axis=0).all()
    for answers, which in zip(laid, said, strict=True):
        np.testing.assert_array_equal(answers[:, which], sequence[:, 1:][:, which])


def test_that_a_pair_in_the_middle_is_answered_by_every_window_that_holds_it():
    _, said = lay_out(cut_windows(np.zeros((1, 10, 1)), 4)[:, :, 1:], 9)
    assert said.sum(axis=0).tolist() == [1, 2, 3, 3, 3, 3, 3, 2, 1]


def test_that_equal_answers_stay_as_sure_as_they_were(generator):
    packed, variance = random_packed(generator, 2, 3), generator.uniform(0.1, 1, (2, 3, 20))
    same = np.stack([packed] * 4), np.stack([variance] * 4)
    mean, merged = merge(*same, np.ones((4, 3), bool))
    np.testing.assert_allclose(mean, packed, atol=1e-12)
    np.testing.assert_allclose(merged, variance)


def test_that_disagreement_adds_to_the_variance(generator):
    packed = random_packed(generator, 5, 2, 3)
    _, merged = merge(packed, np.full((5, 2, 3, 20), 1e-4), np.ones((5, 3), bool))
    assert (merged[..., [0, 1, 2, 9]] > 1e-4).all()


def test_that_sure_answers_count_for_more_and_unsaid_ones_not_at_all(generator):
    packed = random_packed(generator, 3, 1, 1)
    variance = np.broadcast_to(np.array([1e-9, 1.0, 1e-12])[:, None, None, None], packed.shape)
    mean, _ = merge(packed, variance, np.array([[True], [True], [False]]))
    np.testing.assert_allclose(mean, packed[0], atol=1e-6)


def test_that_averaged_rotations_are_rotations(generator):
    mean, _ = merge(
        random_packed(generator, 4, 2, 3), generator.uniform(0.1, 1, (4, 2, 3, 20)),
        np.ones((4, 3), bool),
    )  # fmt: skip
    columns = mean.reshape(2, 3, 2, 10)[..., 3:9].reshape(2, 3, 2, 2, 3)
    dots = columns @ np.swapaxes(columns, -1, -2)
    np.testing.assert_allclose(dots, np.broadcast_to(np.eye(2), dots.shape), atol=1e-12)

"""Shift-tolerant LPIPS: zero on itself, and more patient with shifts than with blur."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="a perceptual distance needs the [lpips] extra")
pytest.importorskip("stlpips_pytorch", reason="a perceptual distance needs the [lpips] extra")

from wm_planner.training.perceptual_distance import available, perceptual_distance


@pytest.fixture(scope="module")
def distance():
    return perceptual_distance()


@pytest.fixture
def picture(generator):
    """Blocks of colour, so that there is something to see."""
    blocks = generator.integers(0, 256, (1, 9, 12, 3), dtype=np.uint8)
    return blocks.repeat(12, axis=1).repeat(12, axis=2)


def test_equal_pictures_have_no_distance(distance, picture):
    assert distance(picture, picture) == pytest.approx(0.0, abs=1e-6)


def test_a_shift_by_a_pixel_is_forgiven_and_noise_is_not(distance, picture, generator):
    shifted = np.roll(picture, 1, axis=2)
    noise = generator.normal(0, 40, picture.shape)
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    other = picture[:, ::-1, ::-1].copy()
    near, rough, far = (float(distance(image, picture)[0]) for image in (shifted, noisy, other))
    assert 0 < near < 0.4 * rough < far


def test_pictures_do_not_depend_on_their_batch(distance, picture, generator):
    truth = generator.integers(0, 256, (20, 96, 128, 3), dtype=np.uint8)
    images = truth[::-1].copy()
    whole = distance(images, truth)
    assert whole.shape == (20,)
    np.testing.assert_allclose(whole[3:5], distance(images[3:5], truth[3:5]), rtol=1e-4)
    assert distance(images[:0], truth[:0]).shape == (0,)


def test_nothing_is_left_behind_in_place_of_what_it_imports():
    assert available()
    for name in ("torchvision", "IPython", "torchsummary"):
        module = sys.modules.get(name)
        assert module is None or module.__file__

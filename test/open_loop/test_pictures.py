"""PSNR and SSIM of errors that are known, whole and where something moves."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.open_loop.picture_figures import (
    ALONE,
    COMPARISONS,
    COPY,
    curve,
    picture_figures,
)
from wm_planner.open_loop.pictures import image_psnr, moving, psnr, squared_error, ssim_maps


def textured(generator, *lead):
    """Pictures with detail everywhere, away from the ends of the range."""
    return generator.integers(60, 190, (*lead, 24, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("error", [1, 5, 40])
def test_psnr_of_a_uniform_error(generator, error):
    truth = textured(generator, 2, 3)
    expected = 20 * np.log10(255 / error)
    np.testing.assert_allclose(image_psnr(truth + np.uint8(error), truth), expected, atol=1e-4)
    np.testing.assert_allclose(image_psnr(truth - np.uint8(error), truth), expected, atol=1e-4)


def test_equal_pictures_have_a_finite_psnr(generator):
    truth = textured(generator, 1)
    assert image_psnr(truth, truth) == pytest.approx(10 * np.log10(255**2 / 1e-2))


def test_large_differences_do_not_wrap_around():
    black, white = np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), 255, np.uint8)
    np.testing.assert_array_equal(squared_error(black, white), 255.0**2)
    assert moving(black, white).all() and moving(white, black).all()


def test_a_pixel_moves_when_one_colour_changes_visibly():
    before = np.full((2, 3, 3), 100, np.uint8)
    after = before.copy()
    after[0, 0, 2] += 21
    after[1, 1] += 20
    assert moving(after, before).sum() == 1 and moving(after, before)[0, 0]


def test_ssim_is_one_on_itself_symmetric_and_as_published(generator):
    truth = textured(generator, 2)
    np.testing.assert_allclose(ssim_maps(truth, truth), 1.0, atol=1e-6)
    other = textured(generator, 2)
    np.testing.assert_allclose(ssim_maps(truth, other), ssim_maps(other, truth), atol=1e-6)
    # Flat pictures differ in luminance alone: equation 6 of the paper, C1 = (0.01 * 255)^2.
    a, b, c1 = 100.0, 150.0, (0.01 * 255) ** 2
    flat = [np.full((1, 16, 16, 3), value, np.uint8) for value in (a, b)]
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    np.testing.assert_allclose(ssim_maps(*flat), expected, rtol=1e-5)


def test_moving_pixels_are_pooled_over_pictures():
    # One picture with 1 moving pixel and error 100, one with 3 of error 4: mean 28.
    sums = (np.array([[100.0], [12.0]]), np.array([[1], [3]]))
    got = curve("PSNR of moving pixels", sums, np.ones(2, bool))
    np.testing.assert_allclose(got, psnr(np.array([28.0])))
    assert np.isnan(curve("PSNR of moving pixels", (np.zeros((2, 1)),) * 2, np.ones(2, bool)))


def make_pictures(generator, windows=3, horizon=4):
    """A block appears; copying misses it, everything else is off by 10 everywhere."""
    newest = textured(generator, windows)
    truth = np.repeat(newest[:, None], horizon, axis=1)
    truth[:, :, 4:12, 4:12] = 255
    names = {name for pair in COMPARISONS.items() for name in (pair[0], *pair[1])}
    pictures = {name: truth - np.uint8(10) for name in names}
    pictures[COPY] = np.repeat(newest[:, None], horizon, axis=1)
    return pictures, truth, newest


def test_figures_stand_beside_their_baselines(generator):
    pictures, truth, newest = make_pictures(generator)
    asked = np.array([True, False, True])
    figures, curves = picture_figures(pictures, truth, newest, asked, None, lambda: None)
    by_name = {figure.name: figure for figure in figures}
    assert len(figures) == 4 * 3 + 2 * len(ALONE)  # without the scene only in dB
    for name in COMPARISONS:
        whole, parts = by_name[f"PSNR, {name}"], by_name[f"PSNR of moving pixels, {name}"]
        assert whole.value == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)
        assert parts.value == pytest.approx(whole.value, abs=1e-3)
        # Most of the picture rests, so copying looks better on it than on what moves.
        assert whole.baselines[COPY] > parts.baselines[COPY] + 8
        assert whole.count == (8 if name.startswith("free dream") else 12)
    assert set(curves) == {"PSNR", "PSNR of moving pixels", "SSIM", "SSIM of moving pixels"}
    assert all(len(values) == 4 for kinds in curves.values() for values in kinds.values())


def test_free_dreams_are_left_out_where_nothing_was_asked(generator):
    pictures, truth, newest = make_pictures(generator)
    figures, _ = picture_figures(pictures, truth, newest, np.zeros(3, bool), None, lambda: None)
    assert figures and not any("free dream" in figure.name for figure in figures)


def test_a_perceptual_distance_sees_some_frames_and_only_moving_pixels(generator):
    pictures, truth, newest = make_pictures(generator, horizon=8)
    shown = []

    def distance(images, wanted):
        shown.append((images, wanted))
        return (images != wanted).mean(axis=(1, 2, 3))

    figures, curves = picture_figures(
        pictures, truth, newest, np.ones(3, bool), distance, lambda: None
    )
    value = {figure.name: figure.value for figure in figures}
    assert value["shift-tolerant LPIPS, actions given"] == pytest.approx(1.0)
    share = 64 / (24 * 32)
    got = value["shift-tolerant LPIPS of moving pixels, actions given"]
    assert got == pytest.approx(share, abs=1e-6)
    seen = np.isfinite(curves["shift-tolerant LPIPS"]["actions given"])
    np.testing.assert_array_equal(np.flatnonzero(seen), [1, 3, 5, 7])
    assert all(len(images) == 3 * 4 for images, _ in shown)

"""Errors of hands that are known, and laws of the distance between paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from wm_planner.open_loop.hand_errors import path_distance_mm, position_mm, rotation_deg, width_mm
from wm_planner.types import HandPoses


def hands(position=(0.0, 0.0, 0.0), degrees=0.0, width=0.0):
    rotation = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    return HandPoses(np.tile(position, (2, 1)), np.tile(rotation, (2, 1, 1)), np.full(2, width))


def test_errors_are_in_mm_and_degrees_hand_by_hand():
    got, wanted = hands((0.003, 0.004, 0.0), 25.0, 0.02), hands(degrees=-5.0, width=0.05)
    np.testing.assert_allclose(position_mm(got, wanted), [5.0, 5.0])
    np.testing.assert_allclose(rotation_deg(got, wanted), [30.0, 30.0], atol=1e-6)
    np.testing.assert_allclose(width_mm(got, wanted), [30.0, 30.0])


def test_a_half_turn_is_180_degrees_and_no_turn_is_0():
    assert rotation_deg(hands(degrees=180.0), hands()) == pytest.approx(180.0, abs=1e-3)
    assert rotation_deg(hands(degrees=77.0), hands(degrees=77.0)) == pytest.approx(0.0, abs=1e-3)


def test_a_path_that_comes_late_is_no_other_path():
    time = np.linspace(0, 1, 30)[:, None]
    path = np.concatenate([np.sin(3 * time), time, 0 * time], axis=1)
    late = np.concatenate([path[:1].repeat(5, axis=0), path[:-5]])
    late_and_whole = np.concatenate([path[:1].repeat(5, axis=0), path])
    assert path_distance_mm(path, late_and_whole) == pytest.approx(0.0, abs=1e-9)
    apart = 1e3 * np.sqrt(np.square(path - late).sum(axis=1).mean())
    assert path_distance_mm(path, late) < 0.4 * apart


def test_a_path_beside_another_is_as_far_as_it_lies_beside():
    path = np.linspace([0, 0, 0], [1, 0, 0], 12)
    assert path_distance_mm(path + [0, 0, 0.007], path) == pytest.approx(7.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 10))
def test_path_distance_is_zero_on_itself_symmetric_and_scales(seed, scale):
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, 8, 3))
    assert path_distance_mm(a, a) == pytest.approx(0.0, abs=1e-9)
    assert path_distance_mm(scale * a, scale * b) == pytest.approx(scale * path_distance_mm(a, b))
    straight = 1e3 * np.sqrt(np.square(a - b).sum(axis=1).mean())
    total = path_distance_mm(a, b) * np.sqrt(16)  # no path is longer than that
    assert total >= path_distance_mm(a, b) and path_distance_mm(a, b) <= straight * np.sqrt(2)

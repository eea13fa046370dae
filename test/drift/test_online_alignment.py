"""Online alignment: laws of dynamic time warping with open ends, on paths in the plane."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.drift.online_alignment import OnlineAlignment

H = 12


def path(seed: int = 0, size: int = 6) -> np.ndarray:
    """A random walk whose steps are about 1 long."""
    steps = np.random.default_rng(seed).standard_normal((H, size)) / np.sqrt(size)
    return np.concatenate([np.zeros((1, size)), np.cumsum(steps, axis=0)])


def at(points: np.ndarray, place: float) -> np.ndarray:
    """The path at a place between its points."""
    return np.array([np.interp(place, np.arange(len(points)), column) for column in points.T])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.4, 1.0, 2.0])
def test_that_the_path_itself_costs_nothing_at_any_rate(seed, rate):
    points = path(seed)
    alignment = OnlineAlignment(points, band=2, memory=0.5)
    for due in np.arange(rate, H, rate):
        place = alignment.add(at(points, due), due)
        assert place.cost == pytest.approx(0.0, abs=1e-20)
        assert place.position == pytest.approx(due, abs=1e-6)


@pytest.mark.parametrize("late", [-1.5, 0.5, 1.0, 2.0])
def test_that_being_late_or_early_within_the_band_is_told_and_costs_nothing(late):
    points = path()
    alignment = OnlineAlignment(points, band=2, memory=0.5)
    for due in range(2, H - 1):
        place = alignment.add(at(points, due - late), due)
        assert place.cost == pytest.approx(0.0, abs=1e-20)
        assert due - place.position == pytest.approx(late, abs=1e-6)


def test_that_later_than_the_band_costs():
    points = path()
    alignment = OnlineAlignment(points, band=1, memory=0.0)
    costs = [alignment.add(at(points, due - 3), due).cost for due in range(3, H)]
    assert min(costs) > 0.01


def test_that_frames_do_not_go_back_in_the_path():
    points = np.linspace(0, H, H + 1)[:, None]  # a straight way
    free = OnlineAlignment(points, band=H, memory=0.9)
    for due in (1, 2, 3, 4):
        assert free.add(points[due], due).cost == pytest.approx(0.0)
    back = free.add(points[1], 5)
    assert back.position > 1.5  # not 1, where the frame alone would belong
    assert back.cost > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_that_a_wider_band_never_costs_more(seed):
    points = path(seed)
    seen = points + 0.3 * np.random.default_rng(seed + 50).standard_normal(points.shape)
    costs = []
    for band in (0.5, 1.0, 2.0, 4.0):
        alignment = OnlineAlignment(points, band, memory=0.7)
        costs.append([alignment.add(seen[due], due).cost for due in range(1, H + 1)])
    assert (np.diff(costs, axis=0) <= 1e-12).all()


def test_that_without_memory_only_the_newest_frame_counts():
    points = path()
    alignment = OnlineAlignment(points, band=2, memory=0.0)
    alignment.add(points[1] + 5.0, 1)
    assert alignment.add(points[2], 2).cost == pytest.approx(0.0, abs=1e-20)


def test_that_after_the_end_the_last_point_is_where_to_be():
    points = path()
    alignment = OnlineAlignment(points, band=2, memory=0.5)
    for due in (H, H + 1.0, H + 20.0):
        place = alignment.add(points[-1], due)
        assert (place.position, place.cost) == (pytest.approx(H), pytest.approx(0.0, abs=1e-20))


def test_that_what_is_no_number_is_infinitely_far_and_forgotten():
    points = path()
    alignment = OnlineAlignment(points, band=2, memory=0.5)
    assert np.isinf(alignment.add(np.full(6, np.nan), 1).cost)
    assert alignment.add(points[2], 2).cost == pytest.approx(0.0, abs=1e-20)

"""Distances by dynamic time warping: laws, a brute-force programme, and tslearn."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tslearn.metrics import dtw

from wm_planner.filters.dtw.alignment import alignment, first_step_apart
from wm_planner.filters.dtw.hand_distance import Weights, aligned_cost, distances, step_costs
from wm_planner.types import HandPoses

H = 7


def trajectories(generator: np.random.Generator, count: int = 4, steps: int = H) -> HandPoses:
    """Random walks of both hands, (count, steps)."""
    position = generator.normal(size=(count, steps, 2, 3)).cumsum(axis=1) * 0.05
    turn = generator.normal(size=(count, steps, 2, 3)).cumsum(axis=1) * 0.3
    rotation = Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix()
    width = generator.uniform(0.0, 0.09, size=(count, steps, 2))
    return HandPoses(position, rotation.reshape(count, steps, 2, 3, 3), width)


def all_pairs(one: HandPoses, other: HandPoses, band: int = 2, weights: Weights | None = None):
    return distances(one[:, None], other, weights or Weights(), band)


def brute_force(costs: np.ndarray, band: int) -> float:
    """The cheapest alignment by trying all, one recursion a cell."""

    @cache
    def best(i: int, j: int) -> float:
        if i < 0 or j < 0 or abs(i - j) > band:
            return np.inf
        if i == j == 0:
            return float(costs[0, 0])
        return float(costs[i, j]) + min(best(i - 1, j), best(i, j - 1), best(i - 1, j - 1))

    return best(costs.shape[0] - 1, costs.shape[1] - 1)


@pytest.mark.parametrize("band", [0, 1, 3, 9])
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (6, 4)])
def test_costs_are_those_of_brute_force_and_of_tslearn(generator, band: int, shape) -> None:
    costs = generator.uniform(size=(3, *shape))
    found = aligned_cost(costs, band)
    assert found == pytest.approx([brute_force(cost, band) for cost in costs])
    for cost, total in zip(costs, found, strict=True):
        if np.isfinite(total):
            path, same = alignment(cost, band)
            assert total == pytest.approx(same)
            assert cost[path[:, 0], path[:, 1]].sum() == pytest.approx(total)


@pytest.mark.parametrize("band", [1, 3])
def test_scalar_series_measure_what_tslearn_measures(generator, band: int) -> None:
    one, other = generator.normal(size=(2, 10))
    costs = np.subtract.outer(one, other) ** 2
    expected = dtw(one, other, global_constraint="sakoe_chiba", sakoe_chiba_radius=band)
    assert np.sqrt(aligned_cost(costs, band)) == pytest.approx(expected)


def test_a_trajectory_is_at_distance_zero_from_itself_alone(generator) -> None:
    some = trajectories(generator)
    apart = all_pairs(some, some)
    own = np.eye(4, dtype=bool)
    assert apart[own] == pytest.approx(0.0, abs=1e-7)
    assert (apart[~own] > 0.01).all()


def test_distances_are_symmetric(generator) -> None:
    one, other = trajectories(generator), trajectories(generator, 3)
    np.testing.assert_allclose(all_pairs(one, other), np.swapaxes(all_pairs(other, one), 0, 1))


def test_a_pair_measures_the_same_whatever_is_measured_with_it(generator) -> None:
    one, other = trajectories(generator), trajectories(generator)
    paired = distances(one, other, Weights(), 2)
    np.testing.assert_allclose(paired, np.diagonal(all_pairs(one, other)).T, rtol=1e-12)


def test_a_wider_band_never_measures_more(generator) -> None:
    one, other = trajectories(generator), trajectories(generator)
    measured = [all_pairs(one, other, band) for band in (0, 1, 2, 4, H)]
    for narrow, wide in pairwise(measured):
        assert (wide <= narrow + 1e-12).all()
    assert (measured[-1] < measured[0]).any()


def test_a_shift_within_the_band_is_forgiven_and_a_larger_one_is_not() -> None:
    steps, shift = 20, 3
    way = 0.2 / (1.0 + np.exp(-(np.arange(-shift, steps) - 8.0)))  # rests at both ends
    position = np.zeros((1, steps, 2, 3))
    late = position.copy()
    position[0, :, 1, 0], late[0, :, 1, 0] = way[shift:], way[:-shift]
    rest = np.tile(np.eye(3), (1, steps, 2, 1, 1)), np.zeros((1, steps, 2))
    one, other = HandPoses(position, *rest), HandPoses(late, *rest)
    euclidean = np.sqrt(((position - late) ** 2).sum(axis=-1).mean(axis=1))[0]
    np.testing.assert_allclose(all_pairs(one, other, 0)[0, 0], euclidean, atol=1e-9)
    assert euclidean[1] > 0.04
    assert all_pairs(one, other, shift)[0, 0, 1] < 0.001
    assert all_pairs(one, other, shift - 2)[0, 0, 1] > 0.01
    assert all_pairs(one, other, shift)[0, 0, 0] == 0.0


@pytest.mark.parametrize(
    ("change", "weights", "expected"),
    [
        ("position", Weights(2.0, 0.0, 0.0), 2.0 * 0.03),
        ("rotation", Weights(0.0, 0.1, 0.0), 0.1 * 0.5),
        ("width", Weights(0.0, 0.0, 3.0), 3.0 * 0.02),
    ],
)
def test_each_part_has_its_weight_and_unit(generator, change, weights, expected) -> None:
    one = trajectories(generator, 1)[:, :1]
    parts = {"position": one.position, "rotation": one.rotation, "width": one.width}
    if change == "rotation":
        turn = Rotation.from_rotvec([0.3, 0.0, 0.4]).as_matrix()  # 0.5 rad
        parts["rotation"] = turn @ one.rotation
    else:
        step = np.array([0.01, 0.02, 0.02]) if change == "position" else 0.02
        parts[change] = parts[change] + step
    other = HandPoses(**parts)
    np.testing.assert_allclose(distances(one, other, weights, 0), [[expected] * 2], rtol=1e-9)
    whole = distances(one, other, Weights(), 0)
    single = Weights(**{name: float(name == change) for name in ("position", "rotation", "width")})
    own = getattr(Weights(), change) * distances(one, other, single, 0)
    np.testing.assert_allclose(whole, own, rtol=1e-6)


def test_what_is_not_a_number_measures_nan_in_its_own_hand_and_pairs_alone(generator) -> None:
    one, other = trajectories(generator, 3), trajectories(generator, 2)
    position = one.position.copy()
    position[1, 4, 0, 2] = np.nan
    apart = all_pairs(HandPoses(position, one.rotation, one.width), other)
    np.testing.assert_array_equal(np.isnan(apart[1]), [[True, False]] * 2)
    np.testing.assert_allclose(apart[[0, 2]], all_pairs(one, other)[[0, 2]])


def test_the_first_step_apart_is_the_first_over_the_limit(generator) -> None:
    one = trajectories(generator, 1)
    position = one.position.copy()
    position[0, 5:, 0] += 10.0
    other = HandPoses(position, one.rotation, one.width)
    costs = step_costs(one, other, Weights())[0, 0]
    assert first_step_apart(costs, 2, 1.0) == 5
    assert first_step_apart(costs, 2, 100.0) >= 5  # none is over it: the furthest
    costs[2] = np.nan
    assert first_step_apart(costs, 2, 1.0) == 2

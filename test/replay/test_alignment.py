"""What dynamic time warping promises, and that it is what tslearn computes."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.replay.alignment import align


def path(seed: int, length: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(0, 0.02, (length, 3)), axis=0)


def test_a_path_is_no_distance_from_itself_and_aligned_row_by_row():
    one = path(0, 9)
    assert align(one, one) == ([(i, i) for i in range(9)], 0.0)


def test_waiting_on_the_way_costs_nothing():
    one = path(1, 6)
    late = np.repeat(one, [1, 4, 1, 1, 2, 1], axis=0)
    assert align(one, late)[1] == 0.0
    assert align(late, one)[1] == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_alignments_join_the_ends_never_go_back_and_beat_equal_times(seed):
    one, other = path(seed, 12), path(seed + 100, 12)
    pairs, distance = align(one, other)
    assert (pairs[0], pairs[-1]) == ((0, 0), (11, 11))
    steps = {tuple(step) for step in np.diff(pairs, axis=0)}
    assert steps <= {(0, 1), (1, 0), (1, 1)}
    gaps = [one[i] - other[j] for i, j in pairs]
    assert distance == pytest.approx(np.sqrt(np.mean(np.sum(np.square(gaps), axis=1))))
    assert distance**2 * len(pairs) <= np.sum((one - other) ** 2) + 1e-12
    assert align(other, one)[1] == pytest.approx(distance)


@pytest.mark.slow
def test_it_is_what_tslearn_computes():
    from tslearn.metrics import dtw_path

    for seed in range(10):
        one, other = path(seed, 12), path(seed + 50, 9)
        pairs, distance = align(one, other)
        assert distance * np.sqrt(len(pairs)) == pytest.approx(dtw_path(one, other)[1])

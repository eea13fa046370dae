"""Which steps of an episode were in vain, and when it is in trouble."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.datasets.hindsight import STALLED_STEPS, in_trouble, lasting


@pytest.mark.parametrize(
    "way_left, good",
    [
        ([0.5, 0.3, 0.1, 0.0], [1, 1, 1, 1]),
        ([0.5, 0.3, 0.315, 0.1, 0.0], [1, 1, 1, 1, 1]),  # a wobble
        # Closed on nothing at 0.1, and lifted: from 0.35 on it is the way back.
        ([0.5, 0.3, 0.1, 0.2, 0.35, 0.2, 0.1, 0.0], [1, 0, 0, 0, 1, 1, 1, 1]),
        ([0.0, 0.3], [0, 1]),
        ([0.4], [1]),
    ],
)
def test_steps_in_vain_are_those_whose_way_had_to_be_gone_again(way_left, good):
    assert lasting(np.array(way_left)).tolist() == [bool(g) for g in good]


def test_trouble_is_way_that_was_lost_or_none_that_is_covered():
    nearer = np.linspace(0.5, 0.1, 20)
    assert not any(in_trouble(nearer[:n]) for n in range(1, 21))
    assert in_trouble(np.append(nearer, 0.15)) and not in_trouble(np.append(nearer, 0.13))
    assert in_trouble(np.append(nearer, np.full(STALLED_STEPS, 0.1)))
    assert not in_trouble(np.append(nearer, np.full(STALLED_STEPS - 2, 0.1)))

"""How well an episode went at each of its steps, known from how it went on.

It needs to be known how far the task was from being done at every frame, which a simulator knows.
"""

from __future__ import annotations

import numpy as np

LOST_WAY_M = 0.02  # a step that left more than this to be done again was in vain
TROUBLE_M = 0.04  # way that is lost: in trouble; twice the above, so that a wobble is none
STALLED_STEPS, STALLED_M = 8, 0.005  # so many steps without coming this much nearer: in trouble


def lasting(way_left: np.ndarray) -> np.ndarray:
    """Which steps of an episode were not in vain: the way that they covered stayed covered.

    An episode that ends in success may hold a grasp that missed, a lift with nothing in the hand,
    and the way back. Whoever learns from it as a whole learns to miss. From the first step that
    had to be repeated until the furthest that things went wrong, none is good; the way back is.

    Args:
        way_left: Shape (N,), m, at every frame, see `rigs.tasks.task.Task.way_left`.

    Returns:
        Shape (N,), bool, for the steps that begin at these frames.
    """
    furthest = np.maximum.accumulate(way_left[::-1])[::-1]
    afterwards = np.append(furthest[1:], way_left[-1:])
    return np.asarray(afterwards <= way_left + LOST_WAY_M)


def in_trouble(way_left: np.ndarray) -> bool:
    """Whether way was lost again, or none was covered for a while.

    Args:
        way_left: Shape (N,), m, at every frame until now since something was disturbed.
    """
    before = way_left[:-STALLED_STEPS]
    stalled = len(before) > 0 and way_left[-STALLED_STEPS:].min() > before.min() - STALLED_M
    return bool(stalled or way_left[-1] > way_left.min() + TROUBLE_M)

"""How far a task is from being done: 0 exactly in success, and less and less on the way there."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from scipy.stats import spearmanr

from wm_planner.rigs import towel
from wm_planner.rigs.hands import CLOSED, OPEN
from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.rigs.tasks import TASKS
from wm_planner.rigs.tasks.way_left import NEAR_M, holds, way_to_close, way_to_grip


def perform(rig, robot, task, mistake=""):
    """Let the expert act; what is left and whether it is done, after every step."""
    rig.reset(task, 900_002)
    left, done, step = [rig.way_left()], [rig.succeeded()], rig.step

    def watched(seconds):
        step(seconds)
        left.append(rig.way_left())
        done.append(rig.succeeded())

    rig.step = watched
    performance = Performance(rig, robot, np.random.default_rng(0), max_steps=90)
    performance._log = lambda *_: None  # no pictures
    try:
        with contextlib.suppress(EpisodeOver):
            rig.task.perform(performance, mistake)
    finally:
        del rig.step
    return np.array(left), np.array(done)


@pytest.mark.parametrize("task", TASKS)
def test_that_it_shrinks_along_an_experts_way_to_zero_in_success(rig, robot, task):
    left, done = perform(rig, robot, task)
    np.testing.assert_array_equal(left == 0, done)
    assert done[-1] and not done[0]
    way = left[: int(np.argmax(done)) + 1]
    assert spearmanr(np.arange(len(way)), way).statistic < -0.98
    assert way[0] > 0.1


@pytest.mark.parametrize("task", ["reach", "pick_lift", "handover", "towel_fold"])
def test_that_a_failure_never_comes_to_zero(rig, robot, task):
    left, done = perform(rig, robot, task, "fail")
    assert not done.any() and (left > 0).all()


@pytest.mark.parametrize("left", [0.2, NEAR_M / 2])
def test_that_fingers_which_closed_on_nothing_have_to_open_first(left):
    thickness = 0.06
    opened, closed = (way_to_close(left, width, thickness) for width in (OPEN, CLOSED))
    assert opened == pytest.approx(OPEN - thickness)
    assert closed == pytest.approx(opened + OPEN)
    assert (way_to_close(left, thickness, thickness) == 0) == (left < NEAR_M)


def test_that_a_hand_which_holds_a_thing_has_no_way_to_it(rig, robot):
    """Wherever on the thing that is: also two centimetres beside the usual place."""
    rig.reset("pick_lift", 900_002)
    cube = rig.object_position("cube")
    side = int(cube[0] > 0)
    performance = Performance(rig, robot, np.random.default_rng(0), noise_m=0.0)
    performance._log = lambda *_: None
    yaw = rig.object_yaw("cube")
    high = cube + [0, 0, 0.02]
    performance.move(performance.hands.moved(side, high + [0, 0, 0.1], yaw, OPEN), 6)
    performance.move(performance.hands.moved(side, high), 4)
    assert not holds(rig, side, "cube")
    assert way_to_grip(rig, side, "cube", cube, 0.06) > 0.02
    performance.move(performance.hands.moved(side, width=CLOSED), 3)
    assert holds(rig, side, "cube") and not holds(rig, 1 - side, "cube")
    assert way_to_grip(rig, side, "cube", cube, 0.06) == 0


def test_that_a_towel_folded_along_a_diagonal_is_no_nearer_to_being_folded(rig, robot):
    """One corner alone has to go back, unless most of its way is done: then the other follows."""
    rig.reset("towel_fold", 900_002)
    performance = Performance(rig, robot, np.random.default_rng(0), noise_m=0.0)
    performance._log = lambda *_: None
    task, near, far = rig.task, towel.corner(rig, "near_left"), towel.corner(rig, "far_left")
    assert task._take(performance, [0], "")
    left = [rig.way_left()]
    for share in (0.2, 0.4, 0.9):
        there = far + share * (near - far) + [0, 0, 0.05]
        performance.move(performance.hands.moved(0, there), 5)
        left.append(rig.way_left())
    assert left[0] < left[1] - 0.04 < left[2] - 0.08
    assert left[3] < left[0]

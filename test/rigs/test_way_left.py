"""How far a task is from being done: 0 exactly in success, and less and less on the way there."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from scipy.stats import spearmanr

from wm_planner.rigs.hands import CLOSED, OPEN
from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.rigs.tasks import TASKS
from wm_planner.rigs.tasks.way_left import NEAR_M, way_to_grip


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


def test_that_fingers_which_closed_elsewhere_have_to_open_first(rig):
    rig.reset("pick_lift", 900_002)
    tool, thickness = rig.tool_position()[0], 0.06
    away, near = tool + [0.2, 0, 0], tool + [NEAR_M / 2, 0, 0]
    posture = rig.joint_state()[0]

    def left(place, width):
        rig.set_posture(posture, np.full(2, width))
        rig.forward()
        return way_to_grip(rig, 0, place, thickness)

    assert left(away, OPEN) == pytest.approx(0.2 - NEAR_M + OPEN - thickness)
    assert left(away, CLOSED) == pytest.approx(left(away, OPEN) + OPEN)
    assert left(near, OPEN) == pytest.approx(OPEN - thickness)
    assert left(near, thickness) == pytest.approx(0.0, abs=1e-9)

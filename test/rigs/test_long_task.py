"""Long tasks: what was done counts in its order only, and is remembered."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.rigs.tasks import LONG_TASKS, TASKS

SEED = 900_003


def perform(rig, robot, *tasks):
    """Let the experts do one task after the other."""
    performance = Performance(rig, robot, np.random.default_rng(1), max_steps=160)
    performance.step = 1  # hands may be low: experts retreat first
    with contextlib.suppress(EpisodeOver):
        for task in tasks:
            task.perform(performance, "")


@pytest.mark.parametrize("task", LONG_TASKS)
def test_that_a_long_task_is_laid_out_and_done_by_the_experts_of_its_parts(rig, robot, task):
    rig.reset(task, SEED)
    parts = rig.task.parts
    assert len(rig.instructions(task)) == len(rig.time_limits_s(task)) == len(parts) > 1
    assert not rig.succeeded() and rig.goals_done == 0
    before = rig.way_left()
    perform(rig, robot, rig.task)
    assert rig.succeeded() and rig.goals_done == len(parts)
    assert rig.way_left() == 0.0 < before


def test_that_the_last_part_alone_or_first_does_not_count(rig, robot):
    rig.reset("pick_then_reach", SEED)
    perform(rig, robot, TASKS["reach"])
    assert TASKS["reach"].succeeded(rig)
    assert not rig.succeeded() and rig.goals_done == 0
    perform(rig, robot, TASKS["pick_lift"])
    assert not rig.succeeded() and rig.goals_done == 1
    perform(rig, robot, TASKS["reach"])
    assert rig.succeeded() and rig.goals_done == 2


def test_that_a_restored_long_task_is_as_far_as_it_was(rig, robot):
    rig.reset("pick_then_reach", SEED)
    perform(rig, robot, TASKS["pick_lift"])
    assert rig.goals_done == 1
    snapshot = rig.snapshot()
    rig.reset("pick_then_reach", SEED)
    assert rig.goals_done == 0
    rig.restore(snapshot)
    assert rig.goals_done == 1
    rig.step(0.4)
    assert rig.goals_done == 1


@pytest.mark.parametrize("task", TASKS)
def test_that_any_other_task_has_one_goal_which_is_its_success(rig, robot, task):
    rig.reset(task, SEED)
    assert rig.goals_done == rig.succeeded() == 0
    perform(rig, robot, rig.task)
    assert rig.goals_done == rig.succeeded() == 1

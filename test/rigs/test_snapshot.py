"""A restored rig goes on as the first time, to the bit: physics, pictures, grips, disturbances."""

from __future__ import annotations

import contextlib

import mujoco
import numpy as np
import pytest

from wm_planner.errors import RigError
from wm_planner.rigs import towel
from wm_planner.rigs.disturbance import KINDS, Disturbance
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.rigs.performance import STEP_S, EpisodeOver, Performance
from wm_planner.rigs.tasks import TASKS

SEED = 900_001
EVERYTHING = mujoco.mjtState.mjSTATE_INTEGRATION


def start(rig, task, kind=None):
    rig.reset(task, SEED)
    if kind:
        rig.disturb(Disturbance.parse(kind), SEED)


def commands_of_the_expert(rig, robot, task, kind=None):
    """What the expert tells the arms in an episode, one command a step."""
    start(rig, task, kind)
    told, apply = [], rig.apply
    rig.apply = lambda command: told.append(command) or apply(command)
    try:
        with contextlib.suppress(EpisodeOver):
            rig.task.perform(Performance(rig, robot, np.random.default_rng(1), max_steps=80), "")
    finally:
        del rig.apply
    return told


def obey(rig, commands):
    """Follow commands; everything that can be seen or measured after each step."""
    seen = []
    for command in commands:
        rig.apply(command)
        rig.step(STEP_S)
        state = np.empty(mujoco.mj_stateSize(rig.model, EVERYTHING))
        mujoco.mj_getState(rig.model, rig.data, state, EVERYTHING)
        derived = rig.data.xpos.copy(), rig.data.qacc.copy(), rig.data.flexvert_xpos.copy()
        done = rig.succeeded(), rig.disturbed, rig.time_ns
        seen.append((rig.render("head"), state, *derived, *done))
    return seen


def assert_same(one, other):
    for first, again in zip(one, other, strict=True):
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_that_a_restored_episode_goes_on_to_the_bit(rig, robot, task, share):
    told = commands_of_the_expert(rig, robot, task)
    begun = int(share * len(told))
    start(rig, task)
    obey(rig, told[:begun])
    snapshot = rig.snapshot()
    rest = told[begun : begun + 12]
    first = obey(rig, rest)
    # Neither what was done nor another scene leaves a trace.
    rig.restore(snapshot)
    assert_same(first, obey(rig, rest))
    rig.reset("pick_lift" if task == "towel_fold" else "towel_fold", SEED + 1)
    rig.step(0.4)
    rig.restore(snapshot)
    assert_same(first[:4], obey(rig, rest[:4]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", ["before", "during"])
def test_that_a_disturbance_happens_again_as_the_first_time(rig, robot, kind, when):
    told = commands_of_the_expert(rig, robot, "pick_lift", kind)
    begun = int(rig.disturbed.time_s / STEP_S + 1e-6) + (when == "during")
    start(rig, "pick_lift", kind)
    obey(rig, told[:begun])
    assert rig.disturbed.applied == (when == "during")
    snapshot = rig.snapshot()
    first = obey(rig, told[begun:])
    assert rig.disturbed.applied
    rig.restore(snapshot)
    assert rig.disturbed.applied == (when == "during")
    assert_same(first, obey(rig, told[begun:]))


def test_that_a_suspended_disturbance_waits_until_the_rig_is_restored(rig, robot):
    kind = "object_moved"
    told = commands_of_the_expert(rig, robot, "pick_lift", kind)
    start(rig, "pick_lift", kind)
    snapshot = rig.snapshot()
    rig.suspend_disturbance()
    obey(rig, told)
    assert not rig.disturbed.applied
    rig.restore(snapshot)
    obey(rig, told)
    assert rig.disturbed.applied


def test_that_cloth_which_was_taken_is_free_again(rig, robot):
    told = commands_of_the_expert(rig, robot, "towel_fold")
    start(rig, "towel_fold")
    snapshot, flat = rig.snapshot(), rig.render("head")
    while not towel.is_held(rig):
        obey(rig, [told.pop(0)])
    held = rig.snapshot()
    rig.restore(snapshot)
    assert not towel.is_held(rig)
    np.testing.assert_array_equal(rig.render("head"), flat)
    rig.restore(held)
    assert towel.is_held(rig)


def test_that_an_outside_controller_is_not_forgotten_but_refused():
    rig = MujocoRig()
    rig.follow(lambda time_s: (np.zeros(12), np.zeros(2)))
    with pytest.raises(RigError, match="a controller outside of the rig"):
        rig.snapshot()
    rig.close()

"""Plans are tried and kept whole: the file gives back what the planner saw and what came of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from painted_rig import PaintedRig, home_and_lifted, make_stack

from wm_planner import actions
from wm_planner.closed_loop import run_episode
from wm_planner.closed_loop.tried_plans import DRAWS, PlanTester, carried_out, load, save
from wm_planner.types import ActionChunks, Goal, HandPoses

GOAL = Goal("lift both hands")
LOOKS = (2, 4)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def tested(stack):
    tester, rig = PlanTester(stack, every=2, looks=LOOKS), PaintedRig()
    result = run_episode(stack, rig, [GOAL], "lift", 3, chooser=tester)
    return tester.plans, result, rig.commands


def test_that_trying_changes_nothing(stack, tested):
    _, result, commands = tested
    rig = PaintedRig()
    plain = run_episode(stack, rig, [GOAL], "lift", 3)
    assert (plain.success, plain.plans) == (result.success, result.plans)
    for one, other in zip(commands, rig.commands, strict=True):
        np.testing.assert_array_equal(one.joint_position, other.joint_position)


def test_that_every_second_plan_is_there_with_all_that_came_of_it(stack, tested):
    plans, result, _ = tested
    assert len(plans) == (result.plans + 1) // 2
    spec, count = stack.world_model.spec, stack.planner.settings.candidates
    for plan in plans:
        assert plan.latents.shape == (count, spec.horizon, *spec.latent_shape)
        assert plan.simulated.shape == (DRAWS, *plan.latents.shape)
        assert plan.tried.tolist() == np.flatnonzero(np.isfinite(plan.score)).tolist()
        assert plan.way_left.shape == plan.succeeded.shape == (count, LOOKS[-1])
    first = plans[0]
    np.testing.assert_allclose(first.gained(2), first.way_before - first.way_left[:, 1])
    assert (first.gained(4)[first.tried] > first.gained(2)[first.tried]).all()  # all of them lift


def test_that_the_camera_saw_the_trials(stack, tested):
    """The picture of this rig is the pose, so what it sees is nearer to the goal each time."""
    plan, model = tested[0][0], stack.world_model
    k = plan.tried[0]
    before = plan.window.images[model.spec.camera][-1]
    value = model.value(model.look(np.stack([before, *plan.seen[k]])), GOAL)
    assert value[0] < value[1] < value[2]


def test_that_half_the_speed_takes_twice_the_steps():
    home, lifted = home_and_lifted()
    way = np.linspace(0, 1, 7)[1:, None, None]
    between = HandPoses(
        home.position + way * (lifted.position - home.position),
        np.broadcast_to(home.rotation, (6, 2, 3, 3)),
        np.linspace(home.width, lifted.width, 7)[1:],
    )
    chain = np.repeat(actions.difference(home, between)[None], 2, axis=0)
    chunks = ActionChunks(chain, np.zeros_like(chain), 0.2, 0, "hash")
    slower = actions.integrate(home, carried_out(home, chunks, np.array([1.0, 2.0])).actions)
    np.testing.assert_allclose(slower.position[0], between.position, atol=1e-9)
    np.testing.assert_allclose(slower.position[1, 1::2], between.position[:3], atol=1e-9)
    np.testing.assert_allclose(slower.width[1, 1::2], between.width[:3], atol=1e-9)


def test_that_a_file_gives_them_back(tested, tmp_path):
    plans, _, _ = tested
    save(tmp_path / "one.npz", plans, {"seed": 3, "name": "lift"})
    read, facts = load(tmp_path / "one.npz")
    assert facts == {"seed": 3, "name": "lift"}
    assert len(read) == len(plans)
    for one, other in zip(read, plans, strict=True):
        for name, value in vars(other).items():
            if name != "window":
                np.testing.assert_array_equal(getattr(one, name), value)
        for field in dataclasses.fields(other.window):
            value = getattr(other.window, field.name)
            if field.name == "images":
                assert value.keys() == one.window.images.keys()
                for camera, frames in value.items():
                    np.testing.assert_array_equal(one.window.images[camera], frames)
            else:
                np.testing.assert_array_equal(getattr(one.window, field.name), value)
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]

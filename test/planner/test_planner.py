"""The planner: the best accepted candidate, or a NoPlan that says why; replayable bit for bit."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from painted_rig import RIG, PaintedRig, home_and_lifted, make_stack

from wm_planner import actions
from wm_planner.errors import BundleError
from wm_planner.filters.filter import Filter
from wm_planner.observation_history import ObservationHistory
from wm_planner.planner import Planner, PlannerSettings
from wm_planner.scorers.scorer import Scorer
from wm_planner.types import Goal, NoPlan, Plan, RejectionReason, Scores, Verdicts

GOAL = Goal("lift both hands")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def window(stack):
    rig = PaintedRig()
    observation = rig.observe()
    history = ObservationHistory(0.2, 2)
    hands = stack.robot.hand_poses(observation.joint_position, observation.gripper_width)
    history.add(observation, hands)
    return history.window()


def make_planner(stack, filters=(), scorers=(), clock=None, **settings) -> Planner:
    parts = (stack.world_model, stack.inverse_dynamics, stack.robot, filters, scorers)
    clock = clock or itertools.count().__next__
    return Planner(*parts, PlannerSettings(**settings), clock)


def plan(planner, window, goal=GOAL, seed=0):
    return planner.plan(window, goal, np.random.default_rng(seed))


class Reject(Filter):
    """Rejects the candidates it is told to, in the calls it is told to."""

    def __init__(self, *calls: list[bool]) -> None:
        self.calls = list(calls)

    def judge(self, chunks, trajectories, start):
        bad = np.array(self.calls.pop(0) if len(self.calls) > 1 else self.calls[0])
        step = np.where(bad, 3, -1)
        where = ("",) * len(bad)
        reason = RejectionReason.WORKSPACE
        return (Verdicts("reject", reason, bad.astype(float), 0.5, "m", where, step),)


class Slow(Filter):
    """Accepts everything, each candidate at its own pace, and remembers the start."""

    def __init__(self, *slowdown: float) -> None:
        self.slowdown = np.array(slowdown)

    def judge(self, chunks, trajectories, start):
        self.start, nothing = start, np.zeros(len(self.slowdown))
        reason, where = RejectionReason.SINGULARITY, ("",) * len(nothing)
        step = np.full(len(nothing), -1)
        return (Verdicts("slow", reason, nothing, 1.0, "", where, step, self.slowdown),)


class Prefer(Scorer):
    def __init__(self, *contribution: float) -> None:
        self.contribution = np.array(contribution)

    def score(self, context):
        return Scores("prefer", self.contribution)


def test_that_the_plan_leads_to_the_goal(stack, window):
    report = plan(stack.planner, window)
    assert isinstance(report.plan, Plan)
    measured = stack.robot.hand_poses(window.newest_joint_position, window.newest_gripper_width)
    lifted = home_and_lifted()[1]
    end = actions.integrate(measured, report.plan.actions)[-1]
    before = np.linalg.norm(measured.position - lifted.position, axis=1)
    after = np.linalg.norm(end.position - lifted.position, axis=1)
    assert (after < 0.5 * before).all()
    reached, _ = stack.robot.forward_kinematics(report.plan.joint_position[-1])
    np.testing.assert_allclose(reached, end.position, atol=2e-3)
    assert report.plan.start_ns == window.newest_stamp_ns
    assert report.plan.bundle_hash == stack.world_model.spec.bundle_hash


def test_that_the_same_seed_gives_the_same_plan(stack, window):
    one, same, other = (plan(stack.planner, window, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.plan.joint_position, same.plan.joint_position)
    assert not np.array_equal(one.plan.joint_position, other.plan.joint_position)


def test_that_the_highest_accepted_score_wins(stack, window):
    scorers = [Prefer(1, 5, 3, 9), Prefer(0, 0, 3, 0)]
    planner = make_planner(stack, [Reject([False, False, False, True])], scorers, candidates=4)
    report = plan(planner, window)
    assert report.plan.candidate == 2
    np.testing.assert_array_equal(report.total_score, [1, 5, 6, np.nan])
    assert report.rejections == {"WORKSPACE": 1}
    np.testing.assert_array_equal(report.plan.dream, report.rollouts.latents[2])
    np.testing.assert_array_equal(report.plan.actions, report.chunks.actions[2])


def test_that_a_score_that_is_no_number_rejects(stack, window):
    planner = make_planner(stack, scorers=[Prefer(np.nan, 0, np.inf)], candidates=3)
    report = plan(planner, window)
    assert report.plan.candidate == 1
    assert report.rejections == {"NO_SCORE": 2}


def test_that_nothing_is_executed_when_all_are_rejected(stack, window):
    planner = make_planner(stack, [Reject([True, True])], candidates=2, attempts=3)
    report = plan(planner, window)
    assert isinstance(report.plan, NoPlan)
    assert report.attempts == 3
    assert report.plan.reason == "all 6 candidates rejected: 6 for WORKSPACE"
    assert np.isnan(report.total_score).all()


def test_that_it_dreams_again_when_all_are_rejected(stack, window):
    planner = make_planner(stack, [Reject([True, True], [True, False])], candidates=2, attempts=3)
    report = plan(planner, window)
    assert report.plan.candidate == 1
    assert report.attempts == 2
    assert report.rejections == {"WORKSPACE": 3}


def test_that_plan_ids_count_up_from_one(stack, window):
    planner = make_planner(stack, candidates=1)
    assert [plan(planner, window).plan.plan_id for _ in range(3)] == [1, 2, 3]


def test_that_every_stage_is_timed(stack, window):
    report = plan(make_planner(stack, candidates=1), window)
    assert report.latency_s == dict.fromkeys(
        ("encode", "imagine", "invert", "kinematics", "filter", "score"), 1
    )


def test_that_dreams_of_another_bundle_are_refused(stack, window):
    class Foreign(type(stack.world_model)):
        def __init__(self, model):
            vars(self).update(vars(model))

        def imagine(self, *args):
            return dataclasses.replace(super().imagine(*args), bundle_hash="other")

    planner = make_planner(stack, candidates=1)
    planner.world_model = Foreign(stack.world_model)
    with pytest.raises(BundleError, match=r"rollouts come from world model other, loaded is \w+"):
        plan(planner, window)


def test_that_an_image_goal_is_planned_for(stack, window):
    rig = PaintedRig()
    rig._joints, rig._width = RIG.home + 0.02, np.full(2, 0.05)
    goal = Goal(image=rig.observe().images["head"])
    report = plan(stack.planner, window, goal)
    assert isinstance(report.plan, Plan)
    end = stack.robot.forward_kinematics(report.plan.joint_position[-1])[0]
    now = stack.robot.forward_kinematics(window.newest_joint_position)[0]
    wanted = stack.robot.forward_kinematics(RIG.home + 0.02)[0]
    assert np.linalg.norm(end - wanted) < 0.6 * np.linalg.norm(now - wanted)
    assert [s.scorer for s in report.scores if s.contribution.any()] == ["image_goal"]


def test_that_a_plan_is_as_slow_as_the_slowest_filter_asks(stack, window):
    prefer = [Prefer(0, 1)]
    (fast,) = (plan(make_planner(stack, scorers=prefer, candidates=2), window).plan,)
    filters = [Slow(1.0, 1.5), Slow(3.0, 2.0)]
    slow = plan(make_planner(stack, filters, prefer, candidates=2), window).plan
    assert slow.dt == 2.0 * fast.dt
    np.testing.assert_array_equal(slow.joint_position, fast.joint_position)
    np.testing.assert_allclose(slow.joint_velocity, fast.joint_velocity / 2.0)
    np.testing.assert_array_equal(filters[0].start.joint_position, window.newest_joint_position)
    np.testing.assert_array_equal(filters[0].start.joint_velocity, window.joint_velocity[-1])


def test_an_inverse_that_reads_images_plans_as_one_that_reads_latents(stack, window, tmp_path):
    """The tiny models' pictures hold the poses to 0.06 mm, so decoding dreams costs no more."""
    other = make_stack(tmp_path, pixels=True)
    assert other.inverse_dynamics.spec.reads_images
    plans = [plan(make_planner(parts), window).plan for parts in (stack, other)]
    assert all(isinstance(made, Plan) for made in plans)
    np.testing.assert_array_equal(plans[0].dream, plans[1].dream)
    np.testing.assert_allclose(plans[0].actions, plans[1].actions, atol=1e-3)

"""The planner: the best accepted candidate, or a NoPlan that says why; replayable bit for bit."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest
from painted_rig import RIG, PaintedRig, home_and_lifted, make_stack

from wm_planner import actions
from wm_planner.errors import BundleError, ConfigurationError
from wm_planner.filters.filter import Filter
from wm_planner.filters.kinematic_filter import KinematicFilter, KinematicFilterSettings
from wm_planner.observation_history import ObservationHistory
from wm_planner.planner import Planner, PlannerSettings
from wm_planner.scorers.scorer import Scorer
from wm_planner.settings import validate
from wm_planner.types import (
    Goal,
    HandPoses,
    Need,
    NoPlan,
    Plan,
    RejectionReason,
    Scores,
    Verdicts,
)

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
    return Planner(*parts, PlannerSettings(**{"regeneration_time": 0.0, **settings}), clock)


def plan(planner, window, goal=GOAL, seed=0):
    return planner.plan(window, goal, np.random.default_rng(seed))


class Reject(Filter):
    """Rejects the candidates it is told to, in the calls it is told to."""

    def __init__(self, *calls: list[bool]) -> None:
        self.calls = list(calls)

    def judge(self, context):
        bad = np.array(self.calls.pop(0) if len(self.calls) > 1 else self.calls[0])
        step = np.where(bad, 3, -1)
        where = ("",) * len(bad)
        reason = RejectionReason.WORKSPACE
        return (Verdicts("reject", reason, bad.astype(float), 0.5, "m", where, step),)


class Slow(Filter):
    """Accepts everything, each candidate at its own pace, and remembers the start."""

    def __init__(self, *slowdown: float) -> None:
        self.slowdown = np.array(slowdown)

    def judge(self, context):
        self.start, nothing = context.start, np.zeros(len(self.slowdown))
        reason, where = RejectionReason.SINGULARITY, ("",) * len(nothing)
        step = np.full(len(nothing), -1)
        return (Verdicts("slow", reason, nothing, 1.0, "", where, step, self.slowdown),)


class Doubt(Filter):
    """Accepts everything and keeps the re-simulation and the goal it was shown."""

    def __init__(self, needs: Need) -> None:
        self.needs = needs

    def judge(self, context):
        self.seen, self.goal = context.resimulation, context.goal
        return ()


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
    planner = make_planner(stack, [Reject([True, True])], candidates=2, regeneration_rounds=2)
    report = plan(planner, window)
    assert isinstance(report.plan, NoPlan)
    assert len(report.rounds) == 3
    assert report.plan.reason == (
        "all 6 candidates rejected: 6 for WORKSPACE; the nearest, candidate 0: workspace 1 m is "
        "over 0.5 m, first at step 3 (reject)"
    )
    assert np.isnan(report.total_score).all()


def test_that_it_dreams_again_when_all_are_rejected(stack, window):
    filters = [Reject([True, True], [True, False])]
    planner = make_planner(stack, filters, candidates=2, regeneration_rounds=2)
    report = plan(planner, window)
    assert report.plan.candidate == 1
    assert len(report.rounds) == 2
    assert report.rejections == {"WORKSPACE": 3}


@pytest.mark.parametrize(
    ("needs", "simulated", "inverted"),
    [
        ((Need.NOTHING, Need.NOTHING), 0, 1),
        ((Need.NOTHING, Need.ROLLOUTS), 1, 1),
        ((Need.CHUNKS, Need.ROLLOUTS), 1, 2),
    ],
)
def test_that_dreams_are_simulated_once_and_only_if_asked_for(
    stack, window, monkeypatch, needs, simulated, inverted
):
    calls = Counter()
    for part, name in ((stack.world_model, "simulate"), (stack.inverse_dynamics, "invert")):
        real = getattr(part, name)
        monkeypatch.setattr(
            part, name, lambda *args, name=name, real=real: calls.update([name]) or real(*args)
        )
    filters = [Doubt(need) for need in needs]
    report = plan(make_planner(stack, filters, candidates=3), window)
    assert (calls["simulate"], calls["invert"]) == (simulated, inverted)
    assert ("resimulate" in report.latency_s) == bool(simulated)
    for one in filters:
        assert one.seen is filters[0].seen
    if simulated:
        seen = filters[0].seen
        np.testing.assert_array_equal(seen.dreamed.latents, report.rollouts.latents)
        assert (seen.chunks is not None) == (inverted == 2)
        assert seen.cycle_cost.max() < 0.05  # this world does what it is told


def test_that_filters_are_told_what_is_asked_for(stack, window):
    told = Doubt(Need.NOTHING)
    plan(make_planner(stack, [told]), window)
    assert told.goal is GOAL


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


class Late(Filter):
    """Rejects every other candidate from a step on, in so many calls."""

    def __init__(self, step: int, times: int = 99) -> None:
        self.step, self.times, self.seen = step, times, []

    def judge(self, context):
        count = len(context.chunks.actions)
        self.seen.append(context.chunks.actions)
        bad = (np.arange(count) % 2 == 0) & (len(self.seen) <= self.times)
        step = np.where(bad, self.step, -1)
        reason = RejectionReason.IK_RESIDUAL
        return (Verdicts("late", reason, bad * 1.0, 0.5, "", ("",) * count, step),)


def test_that_what_was_rejected_is_dreamed_anew_from_its_last_good_frame(stack, window):
    planner = make_planner(
        stack, [Late(step=3, times=1)], candidates=4, regeneration_rounds=2, regeneration_below=4
    )
    report = plan(planner, window)
    first, second = (one.candidates for one in report.rounds)
    before, after = first.rollouts.latents, second.rollouts.latents
    np.testing.assert_array_equal(before[1::2], after[1::2])  # what passed keeps its place
    np.testing.assert_array_equal(first.chunks.actions[1::2], second.chunks.actions[1::2])
    np.testing.assert_array_equal(before[::2, :3], after[::2, :3])
    assert (before[::2, 3:] != after[::2, 3:]).any(axis=(2, 3)).all()
    assert (first.chunks.actions[::2, 3:] != second.chunks.actions[::2, 3:]).any()
    assert report.rollouts is second.rollouts
    assert report.rejections == {"IK_RESIDUAL": 2}
    assert report.rounds[0].reasons[0] == "IK_RESIDUAL" and not any(report.rounds[1].reasons)


def test_that_no_rounds_is_plain_judging(stack, window):
    settings = {"candidates": 4, "regeneration_below": 4}
    alone = plan(make_planner(stack, [Late(2)], regeneration_rounds=0, **settings), window)
    again = plan(make_planner(stack, [Late(2)], regeneration_rounds=1, **settings), window)
    assert (len(alone.rounds), len(again.rounds)) == (1, 2)
    for name in ("rollouts", "chunks", "trajectories"):
        one, other = (getattr(r.rounds[0].candidates, name) for r in (alone, again))
        for field, value in vars(one).items():
            np.testing.assert_array_equal(value, getattr(other, field))


@pytest.mark.parametrize(("below", "rounds"), [(1, 1), (2, 1), (3, 3)])
def test_that_enough_accepted_dreams_end_it(stack, window, below, rounds):
    planner = make_planner(
        stack, [Late(2)], candidates=4, regeneration_rounds=2, regeneration_below=below
    )
    assert len(plan(planner, window).rounds) == rounds


def test_that_regeneration_stops_when_its_time_is_over(stack, window):
    """Every look at this clock costs a second."""
    settings = {"candidates": 2, "regeneration_rounds": 10}
    rounds = {}
    for limit_s in (0.0, 1.0, 20.0, 60.0):
        planner = make_planner(stack, [Reject([True, True])], regeneration_time=limit_s, **settings)
        report = plan(planner, window)
        assert isinstance(report.plan, NoPlan)
        rounds[limit_s] = len(report.rounds)
    assert rounds[1.0] == 1
    assert 1 < rounds[20.0] < rounds[60.0] < rounds[0.0] == 11


def test_that_the_same_generator_gives_the_same_plan_through_all_rounds(stack, window):
    settings = {"candidates": 4, "regeneration_below": 4}
    one, same = (plan(make_planner(stack, [Late(1)], **settings), window) for _ in range(2))
    assert len(one.rounds) == len(same.rounds) == 3
    np.testing.assert_array_equal(one.rollouts.latents, same.rollouts.latents)
    np.testing.assert_array_equal(one.plan.joint_position, same.plan.joint_position)
    latents = [r.candidates.rollouts.latents[0] for r in one.rounds]
    assert not np.array_equal(latents[1], latents[2])  # every round has noise of its own


def test_that_replaced_dreams_are_simulated_and_the_others_not_again(stack, window):
    doubt = Doubt(Need.CHUNKS)
    planner = make_planner(stack, [Late(2, times=1), doubt], candidates=4, regeneration_below=4)
    report = plan(planner, window)
    first, second = (one.candidates.resimulation for one in report.rounds)
    assert doubt.seen is second
    np.testing.assert_array_equal(second.dreamed.latents, report.rollouts.latents)
    for name in ("rollouts", "chunks"):
        before, after = getattr(first, name), getattr(second, name)
        values = (
            (before.latents, after.latents)
            if name == "rollouts"
            else (before.actions, after.actions)
        )
        np.testing.assert_array_equal(values[0][1::2], values[1][1::2])
        assert not np.array_equal(values[0][::2], values[1][::2])


def decided(stack, window, offset, count=2):
    """Steps already decided: on the way of the plan that is made without any, but moved aside."""
    free = plan(stack.planner, window).plan
    hands = stack.robot.hand_poses(free.joint_position[:count], free.gripper_width[:count])
    return HandPoses(hands.position + offset, hands.rotation, hands.width)


def test_that_what_is_decided_comes_first_and_the_rest_is_as_dreamed(stack, window):
    committed = decided(stack, window, np.array([0.0, 0.003, 0.0]))
    made = stack.planner.plan(window, GOAL, np.random.default_rng(0), committed).plan
    free = plan(stack.planner, window).plan
    hands = stack.robot.hand_poses(made.joint_position, made.gripper_width)
    np.testing.assert_allclose(hands.position[:2], committed.position, atol=1e-3)
    assert not np.array_equal(made.dream[:2], free.dream[:2])  # the dream was told
    np.testing.assert_allclose(made.joint_position[2:], free.joint_position[2:], atol=2e-3)


def test_that_a_jump_behind_what_is_decided_is_rejected_like_any_other(stack, window):
    committed = decided(stack, window, np.array([0.0, -0.15, 0.0]))
    as_dreamed = KinematicFilter(stack.robot, KinematicFilterSettings(rate_slowdown=1.0))
    planner = make_planner(stack, filters=[as_dreamed])
    report = planner.plan(window, GOAL, np.random.default_rng(0), committed)
    assert isinstance(report.plan, NoPlan)
    rates = {"SEAM", "JOINT_VELOCITY", "JOINT_ACCELERATION", "JOINT_JERK"}
    assert rates & set(report.rejections)


@pytest.mark.parametrize("slowdown", [1.0, 2.5])
def test_that_a_slower_plan_keeps_the_time_of_what_is_decided(stack, window, slowdown):
    planner = make_planner(stack, filters=[Slow(slowdown)], candidates=1)
    committed = decided(stack, window, np.zeros(3))
    made = planner.plan(window, GOAL, np.random.default_rng(0), committed).plan
    last = made.start_ns + 2 * made.dt * 1e9  # when the last decided step is due
    assert last == pytest.approx(window.newest_stamp_ns + 2 * 0.2e9, abs=2)
    assert made.dt == pytest.approx(0.2 * slowdown)


class Height(Scorer):
    """Prefers candidates whose left hand is led up."""

    def score(self, context):
        return Scores("height", context.chunks.actions[:, :, 2].sum(axis=1))


@pytest.mark.parametrize("search", ["cem", "mppi"])
def test_that_a_search_goes_on_from_the_best_dream_and_betters_it(stack, window, search):
    settings = {"candidates": 8, "search_iterations": 3}
    planner = make_planner(stack, [], [Height()], search=search, **settings)
    report = plan(planner, window)
    dreamed, found = report.rounds
    best = int(np.argmax(dreamed.total_score))
    chosen = dreamed.candidates.chunks.actions[best]
    np.testing.assert_allclose(found.candidates.chunks.actions[0], chosen, atol=1e-9)
    assert report.plan.candidate == np.argmax(found.total_score)
    assert found.total_score.max() > dreamed.total_score.max() + 0.005
    assert found.candidates.rollouts.latents.shape == dreamed.candidates.rollouts.latents.shape
    without = plan(make_planner(stack, [], [Height()], **settings), window)
    np.testing.assert_array_equal(without.plan.actions, chosen)


@pytest.mark.parametrize("search", ["cem", "mppi"])
def test_that_one_dream_may_be_the_proposal_of_many_motions(stack, window, search):
    how = {"candidates": 1, "search_samples": 12, "search_iterations": 2}
    report = plan(make_planner(stack, [], [Height()], search=search, **how), window)
    dreamed, found = report.rounds
    assert (len(dreamed.candidates), len(found.candidates)) == (1, 12)
    assert found.total_score.max() > dreamed.total_score.max() + 0.005
    assert report.plan.candidate == np.argmax(found.total_score)


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"candidates": 3}, "candidates is 3, expected more than 3 for search cem"),
        ({"candidates": 8, "search_samples": 2}, "search_samples is 2"),
        ({"candidates": 4}, ""),
        ({"candidates": 1, "search_samples": 4}, ""),
        ({"candidates": 1, "search": "none"}, ""),
    ],
)
def test_that_a_search_of_nothing_new_is_refused(settings, refused):
    chosen = PlannerSettings(**{"search": "cem", **settings})
    if not refused:
        validate(chosen)
        return
    with pytest.raises(ConfigurationError, match=refused):
        validate(chosen)


def test_that_a_search_leaves_what_is_decided(stack, window):
    committed = decided(stack, window, np.zeros(3))
    planner = make_planner(stack, [], [Height()], search="cem", search_position=0.05)
    made = planner.plan(window, GOAL, np.random.default_rng(0), committed).plan
    hands = stack.robot.hand_poses(made.joint_position, made.gripper_width)
    np.testing.assert_allclose(hands.position[:2], committed.position, atol=1e-3)


def test_that_a_search_is_for_plans_that_there_are(stack, window):
    planner = make_planner(stack, [Reject([True] * 8)], search="cem", regeneration_rounds=0)
    report = plan(planner, window)
    assert isinstance(report.plan, NoPlan) and len(report.rounds) == 1


def test_an_inverse_that_reads_images_plans_as_one_that_reads_latents(stack, window, tmp_path):
    """The tiny models' pictures hold the poses to 0.06 mm, so decoding dreams costs no more."""
    other = make_stack(tmp_path, pixels=True)
    assert other.inverse_dynamics.spec.reads_images
    plans = [plan(make_planner(parts), window).plan for parts in (stack, other)]
    assert all(isinstance(made, Plan) for made in plans)
    np.testing.assert_array_equal(plans[0].dream, plans[1].dream)
    np.testing.assert_allclose(plans[0].actions, plans[1].actions, atol=1e-3)


@pytest.mark.parametrize(("cost", "chosen"), [(0.0, 1), (1.0, 0)])
def test_that_what_has_to_be_slowed_down_is_chosen_for_a_reason(stack, window, cost, chosen):
    parts = [Slow(1.0, 1.5)], [Prefer(1.0, 1.2)]
    report = plan(make_planner(stack, *parts, candidates=2, slowdown_cost=cost), window)
    assert report.plan.candidate == chosen
    pace = {scores.scorer: scores.contribution for scores in report.scores}["pace"]
    np.testing.assert_allclose(pace, [0.0, -0.5 * cost])

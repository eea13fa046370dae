"""When to plan again, and from what: drift, plans that take time, plans that wait."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_models
from painted_rig import RIG, ROBOT, make_stack
from simple_windows import HOME, NOW, SECOND, window_at

from wm_planner import actions
from wm_planner.planner import PlannerSettings
from wm_planner.planner.committed_steps import go_on_from
from wm_planner.task.replanning import Replanning, ReplanningSettings
from wm_planner.types import Goal, HandPoses, Plan, ReplanReason

STEP = SECOND // 5
WAITING = ReplanningSettings(asynchronous=False)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_models, "HORIZON", 12)
        return make_stack(tmp_path_factory.mktemp("stack"))


@pytest.fixture
def replanning(stack):
    stack.planner.settings = PlannerSettings(execute_steps=8)
    return Replanning(stack.planner, Goal("lift both hands"), seed=5, look_ahead_s=0.1)


class Loop:
    """Frame after frame; what is seen is a plan's dream, or something else."""

    def __init__(self, replanning, settings=None, delay_ns=0):
        self.replanning, self.settings = (
            replanning,
            settings or ReplanningSettings(on_drift="replan"),
        )
        self.delay_ns, self.reports = delay_ns, []

    def make(self, stamp_ns, reason=ReplanReason.NEW_GOAL, latent=None):
        latent = self.start() if latent is None else latent
        report = self.replanning.make(window_at(stamp_ns), latent, reason, self.settings)
        self.reports.append(self.replanning.send(report, stamp_ns + self.delay_ns, self.settings))
        return self.reports[-1].plan

    def start(self):
        model = self.replanning._planner.world_model
        return model.look(window_at(NOW).images["head"][-1:])[0]

    def due(self, latent, stamp_ns):
        return self.replanning.due(latent, stamp_ns, self.settings)


def dreamed(plan: Plan, step: int) -> np.ndarray:
    return plan.dream[step - 1].astype(np.float32)


def test_that_frames_that_show_the_dream_never_bring_a_plan_forward(replanning):
    loop = Loop(replanning)
    plan = loop.make(NOW)
    for step in range(1, 8):
        assert loop.due(dreamed(plan, step), NOW + step * STEP) is None
        assert replanning.drift.lateness == pytest.approx(0.0, abs=0.5)
    assert loop.due(dreamed(plan, 8), NOW + 8 * STEP) is ReplanReason.PLAN_ENDING
    assert replanning.reasons == {ReplanReason.NEW_GOAL: 1}


@pytest.mark.parametrize("pause", [3.0, 5.0])
def test_that_lost_tracking_replans_but_never_in_a_tight_loop(replanning, pause):
    loop = Loop(
        replanning, ReplanningSettings(on_drift="replan", drift_pause=pause, drift_steps=2.0)
    )
    loop.make(NOW)
    lost, replans = np.full_like(loop.start(), 50.0), []
    for step in range(1, 40):  # whatever is planned, what is seen has nothing to do with it
        reason = loop.due(lost, NOW + step * STEP)
        if reason is not None:
            assert reason is ReplanReason.DRIFT
            loop.make(NOW + step * STEP, reason)
            replans.append(step)
    assert len(replans) == 39 // pause
    assert (np.diff([0, *replans]) >= pause).all()
    assert replanning.reasons[ReplanReason.DRIFT] == len(replans)


def test_that_drift_that_leads_to_no_plan_is_not_asked_again_at_once_either(replanning):
    loop = Loop(replanning, ReplanningSettings(on_drift="replan", drift_pause=3.0))
    loop.make(NOW)
    replanning._planner = SimpleNamespace(
        settings=PlannerSettings(execute_steps=12),
        world_model=replanning._planner.world_model,
        robot=replanning._planner.robot,
        plan=lambda *_: SimpleNamespace(plan=None),
    )
    lost, asked = np.full_like(loop.start(), np.nan), []
    for step in range(1, 12):
        reason = loop.due(lost, NOW + step * STEP)
        if reason is not None:
            replanning.make(window_at(NOW + step * STEP), lost, reason, loop.settings)
            asked.append(step)
    assert asked == [3, 6, 9]


@pytest.mark.parametrize("reaction", ["ignore", "stop"])
def test_that_drift_is_told_where_nothing_is_to_be_planned_for_it(replanning, reaction):
    loop = Loop(replanning, ReplanningSettings(on_drift=reaction))
    loop.make(NOW)
    lost = np.full_like(loop.start(), np.nan)
    assert all(loop.due(lost, NOW + step * STEP) is None for step in range(1, 8))
    assert replanning.drift.drifted


@pytest.mark.parametrize("delay_s", [0.2, 0.4])
def test_that_a_new_plan_takes_over_what_will_have_been_done_by_then(replanning, delay_s):
    loop = Loop(replanning, delay_ns=round(delay_s * 1e9))
    old = loop.make(NOW)
    later = NOW + 4 * STEP
    new = loop.make(later, ReplanReason.PLAN_ENDING)
    decided = int((delay_s + 0.1) / 0.2 + 1e-6)
    assert replanning.delay_s(loop.settings) == pytest.approx(delay_s)
    np.testing.assert_allclose(
        new.joint_position[:decided], old.joint_position[4 : 4 + decided], atol=2e-3
    )
    np.testing.assert_allclose(
        new.gripper_width[:decided], old.gripper_width[4 : 4 + decided], atol=1e-9
    )
    assert new.start_ns == later  # the arms are late for nothing


def test_that_a_plan_that_takes_no_time_is_made_as_if_there_were_none_before(stack, replanning):
    loop = Loop(replanning)
    loop.make(NOW)
    new = loop.make(NOW + 4 * STEP, ReplanReason.PLAN_ENDING)
    alone = Loop(Replanning(stack.planner, Goal("lift both hands"), 5, 0.1)).make(NOW + 4 * STEP)
    np.testing.assert_array_equal(new.actions, alone.actions)


@pytest.mark.parametrize("stretched", [1.0, 2.0])
def test_that_steps_are_taken_over_at_their_time_also_from_a_slower_plan(replanning, stretched):
    loop = Loop(replanning, delay_ns=round(0.4e9))
    old = loop.make(NOW)
    replanning.plan = dataclasses.replace(old, dt=old.dt * stretched)
    stamp = NOW + 2 * STEP
    committed = replanning._committed(stamp, loop.settings)
    assert committed.lead == (2,)
    for row in range(2):
        due = (stamp + (row + 1) * STEP - NOW) * 1e-9 / (0.2 * stretched) - 1
        told = [np.interp(due, np.arange(len(old.actions)), q) for q in old.joint_position.T]
        expected = ROBOT.forward_kinematics(np.array(told))[0]
        np.testing.assert_allclose(committed.position[row], expected, atol=1e-9)


def test_that_after_a_stop_or_a_plan_s_end_nothing_is_taken_over(replanning):
    loop = Loop(replanning, delay_ns=round(0.4e9))
    plan = loop.make(NOW)
    assert replanning._committed(plan.end_ns, loop.settings) is None
    given = []
    replanning._planner = SimpleNamespace(
        settings=PlannerSettings(),
        world_model=replanning._planner.world_model,
        robot=replanning._planner.robot,
        plan=lambda window, goal, generator, committed: (
            given.append(committed) or SimpleNamespace(plan=None)
        ),
    )
    for reason in (ReplanReason.STALE_OBSERVATION, ReplanReason.DRIFT):
        replanning.make(window_at(NOW + STEP), loop.start(), reason, loop.settings)
    assert given[0] is None
    assert given[1].lead == (2,)


def test_that_the_next_plan_is_asked_for_early_enough(replanning):
    replanning._planner.settings = PlannerSettings(execute_steps=12)
    loop = Loop(replanning, delay_ns=round(0.6e9))
    plan = loop.make(NOW)
    reasons = [loop.due(dreamed(plan, step), NOW + step * STEP) for step in range(1, 10)]
    assert reasons == [None] * 8 + [ReplanReason.PLAN_ENDING]  # 3 of 12 steps ahead


def test_that_the_longest_delays_leave_half_a_plan_to_itself(replanning):
    replanning._planner.settings = PlannerSettings(execute_steps=12)
    loop = Loop(replanning, ReplanningSettings(longest_delay=60.0), delay_ns=30 * SECOND)
    plan = loop.make(NOW)
    reasons = [loop.due(dreamed(plan, step), NOW + step * STEP) for step in range(1, 7)]
    assert reasons == [None] * 5 + [ReplanReason.PLAN_ENDING]
    assert replanning._committed(NOW + STEP, loop.settings).lead == (6,)


def test_that_a_waiting_planner_plans_at_rest_and_starts_when_it_is_done(replanning):
    loop = Loop(replanning, WAITING, delay_ns=3 * STEP)
    plan = loop.make(NOW)
    assert len(plan.actions) == len(plan.dream) == 8
    assert plan.start_ns == NOW + 3 * STEP  # nothing was missed
    reasons = [loop.due(dreamed(plan, min(k, 8)), plan.start_ns + k * STEP) for k in range(1, 10)]
    assert reasons == [None] * 8 + [ReplanReason.PLAN_ENDING]  # a step later all is at rest
    assert replanning._committed(plan.end_ns, WAITING) is None


def test_that_a_stop_while_waiting_does_not_make_a_plan_look_newer_than_it_is(replanning):
    loop, plan = Loop(replanning, WAITING), replanning._planner.plan

    def interrupted(*arguments):
        replanning.demand(NOW + STEP // 2, ReplanReason.STALE_OBSERVATION)
        return plan(*arguments)

    replanning._planner = SimpleNamespace(
        settings=PlannerSettings(), world_model=replanning._planner.world_model, plan=interrupted
    )
    report = replanning.make(window_at(NOW), loop.start(), ReplanReason.NEW_GOAL, WAITING)
    assert replanning.send(report, NOW + STEP, WAITING).plan.start_ns == NOW


def test_that_a_refused_plan_leaves_the_one_before_in_flight(replanning):
    loop = Loop(replanning)
    first = loop.make(NOW)
    loop.make(NOW + 4 * STEP, ReplanReason.DRIFT)
    replanning.refused()
    assert replanning.plan is first
    assert loop.due(dreamed(first, 5), NOW + 5 * STEP) is None
    assert replanning.drift.step == pytest.approx(5.0, abs=0.6)


def test_that_what_the_executor_does_not_follow_was_refused(replanning):
    loop = Loop(replanning)
    first = loop.make(NOW)
    replanning.hear_executor(first.plan_id, NOW + STEP)
    assert loop.due(dreamed(first, 1), NOW + STEP) is None
    second = loop.make(NOW + 4 * STEP, ReplanReason.DRIFT)
    replanning.hear_executor(first.plan_id, NOW + 4 * STEP + SECOND // 10)  # too soon to tell
    loop.due(dreamed(second, 1), NOW + 5 * STEP)
    assert replanning.plan is second
    replanning.hear_executor(first.plan_id, NOW + 6 * STEP)
    assert loop.due(dreamed(first, 6), NOW + 6 * STEP) is None
    assert replanning.plan is first
    assert replanning.drift.step == pytest.approx(6.0, abs=0.6)
    assert loop.due(dreamed(first, 8), NOW + 8 * STEP) is ReplanReason.PLAN_ENDING


def test_that_a_plan_that_was_followed_once_is_not_taken_for_refused_later(replanning):
    loop = Loop(replanning)
    loop.make(NOW)
    plan = loop.make(NOW + 4 * STEP, ReplanReason.DRIFT)
    replanning.hear_executor(plan.plan_id, NOW + 5 * STEP)
    loop.due(dreamed(plan, 1), NOW + 5 * STEP)
    replanning.hear_executor(0, NOW + 6 * STEP)  # it has stopped: that is told elsewhere
    loop.due(dreamed(plan, 2), NOW + 6 * STEP)
    assert replanning.plan is plan


def test_that_a_delay_counts_from_the_frame_also_for_plans_that_slow_down(replanning):
    """Slowing down behind decided steps, a plan starts before the frame that it was made on."""
    loop = Loop(replanning, delay_ns=round(0.4e9))
    loop.make(NOW)
    frame = NOW + 4 * STEP
    latent = loop.start()
    report = replanning.make(window_at(frame), latent, ReplanReason.PLAN_ENDING, loop.settings)
    slower = dataclasses.replace(report.plan, start_ns=frame - STEP, dt=report.plan.dt * 1.5)
    replanning.plan = slower
    report = dataclasses.replace(report, plan=slower)
    replanning.send(report, frame + round(0.4e9), loop.settings)
    assert replanning.delay_s(loop.settings) == pytest.approx(0.4)


@pytest.mark.parametrize("count", [1, 3, 11])
def test_that_only_what_is_decided_changes_in_a_chunk(stack, count):
    goal, generator = Goal("lift both hands"), np.random.default_rng(0)
    report = stack.planner.plan(window_at(NOW), goal, generator)
    start = ROBOT.hand_poses(RIG.home, np.full(2, 0.08))
    steps = np.linspace(0, 0.01, count)[:, None, None]
    position = HOME.position + steps
    rotation = np.broadcast_to(HOME.rotation, (count, 2, 3, 3))
    committed = HandPoses(position, rotation, np.full((count, 2), 0.03))
    changed = go_on_from(committed, report.chunks, start)
    before = actions.integrate(start, report.chunks.actions)
    after = actions.integrate(start, changed.actions)
    np.testing.assert_allclose(after.position[:, count:], before.position[:, count:], atol=1e-9)
    np.testing.assert_allclose(after.rotation[:, count:], before.rotation[:, count:], atol=1e-9)
    for k in range(len(changed.actions)):
        np.testing.assert_allclose(after.position[k, :count], position, atol=1e-9)
        np.testing.assert_allclose(after.width[k, :count], committed.width, atol=1e-9)
    assert go_on_from(None, report.chunks, start) is report.chunks

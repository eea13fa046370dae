"""Whole episodes with models and a rig that fit in one's head."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from painted_rig import PaintedRig, home_and_lifted, make_stack

from wm_planner import actions
from wm_planner.closed_loop import EpisodeSettings, run_episode
from wm_planner.rigs.disturbance import Disturbance, Disturbed
from wm_planner.types import Goal, NoPlan, Plan


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


def with_replanning(stack, **settings):
    replanning = dataclasses.replace(stack.config.replanning, **settings)
    return dataclasses.replace(
        stack, config=dataclasses.replace(stack.config, replanning=replanning)
    )


def test_that_the_task_is_done_because_it_was_asked_for(stack):
    rig = PaintedRig()
    result = run_episode(stack, rig, [Goal("lift both hands")], "lift", 3)
    assert result.success
    assert result.end == "success"
    assert result.duration_s < 8.0
    assert result.plans >= 2
    assert set(result.latency_s) >= {"encode", "imagine", "invert", "total"}
    assert len(result.latency_s["total"]) == result.plans + result.no_plans


@pytest.mark.parametrize("goal", [Goal("go home"), Goal()])
def test_that_it_is_not_done_when_it_was_not_asked_for(stack, goal):
    settings = EpisodeSettings(time_limit_s=4.0)
    result = run_episode(stack, PaintedRig(), [goal], "lift", 3, settings)
    assert not result.success
    assert result.end == "time limit"


def test_that_an_untouched_goal_image_works_too(stack):
    rig = PaintedRig()
    _, lifted = home_and_lifted()
    joints, *_ = stack.robot.inverse_kinematics(lifted[None, None], stack.rig_description.home)
    rig._joints, rig._width = joints[0, 0], lifted.width
    goal = Goal(image=rig.observe().images["head"])
    assert run_episode(stack, rig, [goal], "lift", 3).success


def test_that_the_model_s_past_is_what_was_seen_and_done_never_what_it_dreamed(stack, monkeypatch):
    """The rig does less than it is told, and looks otherwise than dreamed; windows hold that."""

    class Sluggish(PaintedRig):
        def reset(self, task, seed):
            super().reset(task, seed)
            self.seen, self.done = {}, []

        def observe(self):
            observation = super().observe()
            image = np.maximum(observation.images["head"], 1) - 1
            self.seen[observation.stamp_ns] = dataclasses.replace(
                observation, images={"head": image}
            )
            return self.seen[observation.stamp_ns]

        def apply(self, command):
            less = self._joints + 0.3 * (command.joint_position - self._joints)
            self.done.append(super().apply(dataclasses.replace(command, joint_position=less)))
            return self.done[-1]

    rig, windows, imagine = Sluggish(), [], stack.world_model.imagine

    def listen(window, *rest):
        windows.append(window)
        return imagine(window, *rest)

    monkeypatch.setattr(stack.world_model, "imagine", listen)
    settings = EpisodeSettings(time_limit_s=4.0, latency_s=0.4)
    run_episode(stack, rig, [Goal("lift both hands")], "lift", 3, settings)
    later = [window for window in windows if window.stamps_ns[0] >= 0]
    compared = 0
    for window in later:
        before, now = (rig.seen[stamp] for stamp in window.stamps_ns)
        for row, observation in enumerate((before, now)):
            np.testing.assert_array_equal(window.images["head"][row], observation.images["head"])
            np.testing.assert_array_equal(window.joint_position[row], observation.joint_position)
        by_then = [command for command in rig.done if command.stamp_ns <= now.stamp_ns]
        if not by_then:
            continue
        done, compared = by_then[-1], compared + 1
        measured = stack.robot.hand_poses(before.joint_position, before.gripper_width)
        reached = stack.robot.hand_poses(done.joint_position, done.gripper_width)
        np.testing.assert_allclose(window.actions[0], actions.encode(measured, reached), atol=1e-12)
    assert compared >= 3


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("latency_s", [0.2, 0.4])
def test_that_plans_may_take_time_and_commands_do_not_jump(stack, asynchronous, latency_s):
    rig = PaintedRig()
    slow = with_replanning(stack, asynchronous=asynchronous, on_drift="ignore")
    settings = EpisodeSettings(latency_s=latency_s)
    result = run_episode(slow, rig, [Goal("lift both hands")], "lift", 3, settings)
    assert result.success
    assert result.duration_s > latency_s
    assert not result.refusals
    assert rig.commands[0].stamp_ns >= latency_s * 1e9  # nothing moves before the first plan
    stamps = np.array([command.stamp_ns for command in rig.commands]) * 1e-9
    velocity = np.array([command.joint_velocity for command in rig.commands])
    near = np.diff(stamps) < 1.5 * stack.config.executor.period_s
    jumps = np.abs(np.diff(velocity, axis=0))[near]
    passed = np.diff(stamps)[near, None]
    assert (jumps <= stack.robot.acceleration_limit * passed * (1 + 1e-6)).all()
    assert (result.commands, result.limit_violations) == (len(rig.commands), 0)


def test_that_latency_is_simulated_time_alone(stack):
    def durations(latency_s):
        settings = EpisodeSettings(latency_s=latency_s)
        rig = PaintedRig()
        result = run_episode(stack, rig, [Goal("lift both hands")], "lift", 3, settings)
        return result.duration_s, [command.stamp_ns for command in rig.commands]

    assert durations(0.3) == durations(0.3)
    assert durations(0.0)[0] < durations(0.4)[0]


@pytest.mark.parametrize(
    ("on_drift", "end"), [("stop", "drift"), ("replan", "time limit"), ("ignore", "time limit")]
)
def test_that_frames_that_leave_the_dream_are_dealt_with_as_set(stack, on_drift, end):
    class Stuck(PaintedRig):  # the arms do nothing, so no dream comes true
        def apply(self, command):
            return super().apply(dataclasses.replace(command, joint_position=self._joints))

    settings = EpisodeSettings(time_limit_s=4.0)
    stuck = with_replanning(stack, on_drift=on_drift, drift_limit=0.5, drift_band=0.5)
    result = run_episode(stuck, Stuck(), [Goal("lift both hands")], "lift", 3, settings)
    assert result.end == end
    assert result.drifted_s
    assert ("DRIFT" in result.replans) == (on_drift == "replan")
    assert result.replans["NEW_GOAL"] == 1
    assert sum(result.replans.values()) == result.plans + result.no_plans
    if on_drift == "replan":  # not more often than every drift_pause steps
        assert result.replans["DRIFT"] <= 4.0 / (3 * 0.2)


def test_that_the_seed_decides_everything(stack):
    def run(seed):
        rig = PaintedRig()
        result = run_episode(stack, rig, [Goal("lift both hands")], "lift", seed)
        return result, np.array([command.joint_position for command in rig.commands])

    (one, a), (same, b), (_, c) = run(5), run(5), run(6)
    np.testing.assert_array_equal(a, b)
    assert (one.duration_s, one.plans) == (same.duration_s, same.plans)
    assert a.shape != c.shape or not np.array_equal(a, c)


def test_that_a_disturbance_is_for_the_rig_alone(stack):
    class Disturbable(PaintedRig):
        asked, disturbed = (), None

        def disturb(self, disturbance, seed):
            assert self.time_ns == 0
            self.asked += ((disturbance, seed),)
            self.disturbed = Disturbed(disturbance.kind, True, 0.4, "cube", "")

    rig, plain, goal = Disturbable(), PaintedRig(), Goal("lift both hands")
    disturbance = Disturbance("object_moved", 0.04)
    result = run_episode(stack, rig, [goal], "lift", 3, disturbance=disturbance)
    assert rig.asked == ((disturbance, 3),)
    assert result.disturbed == rig.disturbed
    same = run_episode(stack, plain, [goal], "lift", 3)
    assert same.disturbed is None
    for one, other in zip(rig.commands, plain.commands, strict=True):  # it changed nothing here
        np.testing.assert_array_equal(one.joint_position, other.joint_position)


def test_that_what_cannot_be_done_ends_without_a_plan(tmp_path):
    home, lifted = home_and_lifted()
    beyond = actions.pack(lifted)
    beyond[[2, 12]] = 1.9  # m, far above the workspace
    text = "planner: {regeneration_rounds: 2, regeneration_time: 0.0}\n"
    stack = make_stack(tmp_path, np.stack([actions.pack(home), beyond]), text)
    rig = PaintedRig()
    settings = EpisodeSettings(no_plan_limit=3)
    result = run_episode(stack, rig, [Goal("lift both hands")], "lift", 3, settings)
    assert result.end == "no plan"
    assert result.no_plans == 3
    assert sum(result.rejections.values()) == 3 * 8 * 3  # each dream was replaced twice
    assert rig.commands == []


def test_that_a_watcher_sees_every_frame_and_every_plan(stack):
    seen = []
    run_episode(
        *(stack, PaintedRig(), [Goal("lift both hands")], "lift", 3),
        EpisodeSettings(time_limit_s=1.0),
        lambda observation, report: seen.append((observation.stamp_ns, report)),
    )
    frames = [stamp for stamp, report in seen if report is None]
    np.testing.assert_allclose(np.diff(frames), 0.2e9, atol=1)
    reports = [report for _, report in seen if report is not None]
    assert reports
    assert all(isinstance(report.plan, Plan | NoPlan) for report in reports)


def image_of(stack, poses) -> Goal:
    """Ask for a picture: tiny models never call words done."""
    joints, *_ = stack.robot.inverse_kinematics(poses[None, None], stack.rig_description.home)
    rig = PaintedRig()
    rig._joints, rig._width = joints[0, 0], poses.width
    return Goal(image=rig.observe().images["head"])


@pytest.fixture(scope="module")
def sharp(stack):
    """The stack, with pictures that count as reached where they are about the same."""
    goals = dataclasses.replace(stack.config.goals, success_distance=0.003, success_frames=2)
    return dataclasses.replace(stack, config=dataclasses.replace(stack.config, goals=goals))


def test_that_goals_are_brought_about_one_after_the_other(sharp):
    home, lifted = (image_of(sharp, poses) for poses in home_and_lifted())
    result = run_episode(sharp, PaintedRig(), [lifted, home], "lift_then_home", 3)
    assert result.success and result.end == "success"
    assert len(result.done_s) == 2 and result.done_s[0] < result.done_s[1]
    # Its own eyes told the planner when to turn, soon after physics knew.
    assert 0.0 <= result.seen_s[0] - result.done_s[0] < 1.5
    assert result.replans["NEW_GOAL"] >= 2
    for asked in ([home], [lifted], [home, lifted]):
        other = run_episode(sharp, PaintedRig(), asked, "lift_then_home", 3)
        assert not other.success
        assert len(other.done_s) < 2


@pytest.mark.parametrize("retries", [0, 2])
def test_that_a_goal_that_is_not_reached_is_tried_as_often_as_was_said(sharp, retries):
    goals = dataclasses.replace(sharp.config.goals, subgoal_retries=retries, success_distance=0.0)
    blind = dataclasses.replace(sharp, config=dataclasses.replace(sharp.config, goals=goals))
    home, lifted = (image_of(sharp, poses) for poses in home_and_lifted())
    result = run_episode(blind, PaintedRig(), [lifted, home], "lift_then_home", 3)
    assert not result.success and result.end == "time limit"
    assert result.done_s and not result.seen_s  # physics knew, the planner did not see it
    assert result.retries == retries
    assert result.duration_s == pytest.approx(8.0 * (retries + 1), abs=0.3 * (retries + 1))


def test_that_what_the_planner_sees_does_not_change_an_episode_with_one_goal(stack, sharp):
    _, lifted = home_and_lifted()
    goal = image_of(stack, lifted)
    results = []
    for frames in (1, 1000):
        goals = dataclasses.replace(sharp.config.goals, success_frames=frames, success_distance=9.0)
        config = dataclasses.replace(stack.config, goals=goals)
        one = dataclasses.replace(stack, config=config)
        results.append(run_episode(one, PaintedRig(), [goal], "lift", 3))
    seen, unseen = results
    assert seen.seen_s and not unseen.seen_s
    facts = [dataclasses.replace(r, seen_s=[], latency_s={}) for r in results]
    assert facts[0] == facts[1]

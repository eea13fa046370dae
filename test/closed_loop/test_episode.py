"""Whole episodes with models and a rig that fit in one's head."""

from __future__ import annotations

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


def test_that_the_task_is_done_because_it_was_asked_for(stack):
    rig = PaintedRig()
    result = run_episode(stack, rig, Goal("lift both hands"), "lift", 3)
    assert result.success
    assert result.end == "success"
    assert result.duration_s < 8.0
    assert result.plans >= 2
    assert set(result.latency_s) >= {"encode", "imagine", "invert", "total"}
    assert len(result.latency_s["total"]) == result.plans + result.no_plans


@pytest.mark.parametrize("goal", [Goal("go home"), Goal()])
def test_that_it_is_not_done_when_it_was_not_asked_for(stack, goal):
    settings = EpisodeSettings(time_limit_s=4.0)
    result = run_episode(stack, PaintedRig(), goal, "lift", 3, settings)
    assert not result.success
    assert result.end == "time limit"


def test_that_an_untouched_goal_image_works_too(stack):
    rig = PaintedRig()
    _, lifted = home_and_lifted()
    joints, *_ = stack.robot.inverse_kinematics(lifted[None, None], stack.rig_description.home)
    rig._joints, rig._width = joints[0, 0], lifted.width
    goal = Goal(image=rig.observe().images["head"])
    assert run_episode(stack, rig, goal, "lift", 3).success


def test_that_the_seed_decides_everything(stack):
    def run(seed):
        rig = PaintedRig()
        result = run_episode(stack, rig, Goal("lift both hands"), "lift", seed)
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
    result = run_episode(stack, rig, goal, "lift", 3, disturbance=disturbance)
    assert rig.asked == ((disturbance, 3),)
    assert result.disturbed == rig.disturbed
    same = run_episode(stack, plain, goal, "lift", 3)
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
    result = run_episode(stack, rig, Goal("lift both hands"), "lift", 3, settings)
    assert result.end == "no plan"
    assert result.no_plans == 3
    assert sum(result.rejections.values()) == 3 * 8 * 3  # each dream was replaced twice
    assert rig.commands == []


def test_that_a_watcher_sees_every_frame_and_every_plan(stack):
    seen = []
    run_episode(
        *(stack, PaintedRig(), Goal("lift both hands"), "lift", 3),
        EpisodeSettings(time_limit_s=1.0),
        lambda observation, report: seen.append((observation.stamp_ns, report)),
    )
    frames = [stamp for stamp, report in seen if report is None]
    np.testing.assert_allclose(np.diff(frames), 0.2e9, atol=1)
    reports = [report for _, report in seen if report is not None]
    assert reports
    assert all(isinstance(report.plan, Plan | NoPlan) for report in reports)

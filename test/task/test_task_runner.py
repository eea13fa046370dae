"""A task from acceptance to its typed end, with tiny models and no ROS."""

from __future__ import annotations

import numpy as np
import pytest
from painted_rig import make_stack
from simple_windows import HOME, LIFTED, NOW, SECOND, window_at
from tiny_models import picture

from wm_planner import actions
from wm_planner.task.goal_monitor import GoalMonitor, GoalMonitorSettings
from wm_planner.task.sub_goals import SubGoals
from wm_planner.task.task_runner import Outcome, TaskRunner, TaskSettings
from wm_planner.types import Goal, Plan, ReplanReason

SETTINGS = TaskSettings(
    success_distance=0.01, success_frames=2, no_plan_timeout=1.0, on_drift="ignore"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


def runner(stack, goal: Goal | None = None, timeout_s: float = 10.0) -> TaskRunner:
    return sequence(stack, [goal or Goal("lift both hands")], timeout_s)


def sequence(stack, goals, timeout_s=0.0, **more) -> TaskRunner:
    goals = SubGoals(stack.world_model, goals, NOW, **more)
    return TaskRunner(stack.planner, goals, NOW, timeout_s, seed=5, look_ahead_s=0.1)


def test_that_it_plans_at_once_and_then_when_the_steps_to_execute_are_over(stack):
    task = runner(stack)
    report, reason = task.cycle(window_at(NOW), NOW, SETTINGS)
    assert isinstance(report.plan, Plan)
    assert reason is ReplanReason.NEW_GOAL
    steps = stack.planner.settings.execute_steps
    for step in range(1, steps):
        assert task.cycle(window_at(NOW + step * SECOND // 5), NOW, SETTINGS) is None
    _, reason = task.cycle(window_at(NOW + steps * SECOND // 5), NOW, SETTINGS)
    assert reason is ReplanReason.PLAN_ENDING
    assert task.status.plans == 2


def test_that_a_stopped_executor_brings_the_next_plan_forward(stack):
    task = runner(stack)
    task.cycle(window_at(NOW), NOW, SETTINGS)
    task.replan_after(NOW + SECOND // 5, ReplanReason.STALE_OBSERVATION)
    assert task.cycle(window_at(NOW + SECOND // 5), NOW, SETTINGS) is None
    _, reason = task.cycle(window_at(NOW + 2 * SECOND // 5), NOW, SETTINGS)
    assert reason is ReplanReason.STALE_OBSERVATION
    # Served: the next one is due by the plan again.
    assert task.cycle(window_at(NOW + 3 * SECOND // 5), NOW, SETTINGS) is None


def test_that_the_same_seed_and_stamp_give_the_same_plan(stack):
    one, _ = runner(stack).cycle(window_at(NOW), NOW, SETTINGS)
    same, _ = runner(stack).cycle(window_at(NOW), NOW, SETTINGS)
    np.testing.assert_array_equal(one.rollouts.latents, same.rollouts.latents)


def test_that_the_goal_must_be_seen_on_several_frames_in_a_row(stack):
    task = runner(stack, Goal(None, picture(actions.pack(LIFTED))))
    task.cycle(window_at(NOW, LIFTED), NOW, SETTINGS)
    assert task.status.outcome is None
    task.cycle(window_at(NOW + SECOND // 10, HOME), NOW, SETTINGS)
    task.cycle(window_at(NOW + 2 * SECOND // 10, LIFTED), NOW, SETTINGS)
    assert task.status.outcome is None
    task.cycle(window_at(NOW + 3 * SECOND // 10, LIFTED), NOW, SETTINGS)
    assert task.status.outcome is Outcome.SUCCEEDED
    assert "the last 2 frames show the goal (distance " in task.status.message


def test_that_time_runs_out_also_while_nothing_is_seen(stack):
    task = runner(stack, timeout_s=3.0)
    task.check_time(NOW + 2 * SECOND, SETTINGS)
    assert task.status.outcome is None
    task.check_time(NOW + 4 * SECOND, SETTINGS)
    assert task.status.outcome is Outcome.TIMEOUT
    assert task.status.message == "not reached within 3.0 s (nothing was seen)"


def test_that_a_task_without_any_acceptable_plan_ends(tmp_path):
    beyond = actions.pack(LIFTED)
    beyond[[2, 12]] = 1.9  # m, far above the workspace
    task = runner(make_stack(tmp_path, np.stack([actions.pack(HOME), beyond])))
    task.cycle(window_at(NOW), NOW, SETTINGS)
    assert task.status.outcome is None
    assert task.status.stage == "holding"
    task.cycle(window_at(NOW + SECOND // 5), NOW + 2 * SECOND, SETTINGS)
    assert task.status.outcome is Outcome.NO_PLAN
    assert "candidates rejected" in task.status.message
    assert task.status.no_plans == 2


def test_that_a_stage_may_fail_now_and_then_but_not_again_and_again(stack):
    task = runner(stack)
    task._planner = None  # no stage is there
    for _ in range(SETTINGS.stage_failures - 1):
        task.cycle(window_at(NOW), NOW, SETTINGS)
    assert task.status.outcome is None
    task.cycle(window_at(NOW), NOW, SETTINGS)
    assert task.status.outcome is Outcome.FAILED
    assert "AttributeError" in task.status.message


def test_that_the_first_end_counts(stack):
    task = runner(stack)
    task.end(Outcome.CANCELED, "by hand")
    task.end(Outcome.TIMEOUT, "too late")
    assert task.status.outcome is Outcome.CANCELED


@pytest.mark.parametrize("number", [0.2, float("nan")])
def test_that_a_value_below_the_limit_or_unknown_shows_nothing(number):
    class Model:
        def look(self, images):
            return np.zeros((len(images), 2, 2))

        def value(self, latents, goal):
            return np.full(len(latents), number)

    monitor = GoalMonitor(Model(), Goal("lift"))
    reading = monitor.read(np.zeros((2, 2)), GoalMonitorSettings())
    assert not reading.reached
    assert reading.frames == 0

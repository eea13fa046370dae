"""Goals one after the other: the order is kept, attempts are counted, ends name the goal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from painted_rig import make_stack
from simple_windows import HOME, LIFTED, NOW, SECOND, window_at
from tiny_models import picture

from wm_planner import actions
from wm_planner.task.sub_goals import SubGoals
from wm_planner.task.task_runner import Outcome, TaskRunner, TaskSettings
from wm_planner.types import Goal, NoPlan, Plan, ReplanReason

FRAME = SECOND // 10
SETTINGS = TaskSettings(
    success_distance=0.01, success_frames=2, no_plan_timeout=1.0, on_drift="ignore"
)
UP, DOWN = (Goal(image=picture(actions.pack(poses))) for poses in (LIFTED, HOME))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


def make_runner(stack, goals, timeout_s=0.0, **more) -> TaskRunner:
    goals = SubGoals(stack.world_model, goals, NOW, **more)
    return TaskRunner(stack.planner, goals, NOW, timeout_s, seed=5, look_ahead_s=0.1)


class Clock:
    """Shows a task frame after frame, each a tenth of a second after the one before."""

    def __init__(self, task: TaskRunner, settings: TaskSettings = SETTINGS) -> None:
        self.task, self.settings, self.now_ns = task, settings, NOW
        self.reasons: list[tuple[int, ReplanReason]] = []
        self.pursued: list[int] = []

    def show(self, poses, frames: int = 1) -> None:
        for _ in range(frames):
            window = window_at(self.now_ns, poses)
            result = self.task.cycle(window, self.now_ns, self.settings)
            if result is not None:
                self.reasons.append((self.now_ns, result[1]))
            self.pursued.append(self.task.goals.reached)
            self.now_ns += FRAME


@pytest.mark.parametrize("seed", range(5))
def test_that_goals_are_reached_in_their_order_whatever_is_seen(stack, seed):
    generator = np.random.default_rng(seed)
    goals = [(UP, DOWN)[k] for k in generator.integers(2, size=3)]
    task = make_runner(stack, goals)
    clock = Clock(task)
    shown: list[Goal] = []
    for _ in range(40):
        goal = (UP, DOWN)[generator.integers(2)]
        before = task.goals.reached
        clock.show(LIFTED if goal is UP else HOME)
        shown.append(goal)
        if task.goals.reached > before:
            assert task.goals.reached == before + 1
            assert shown[-2:] == [goals[before]] * 2  # two frames that show it make it so
        if task.status.outcome is not None:
            break
    assert clock.pursued == sorted(clock.pursued)
    assert task.status.outcome is Outcome.SUCCEEDED
    assert task.goals.done
    assert "sub-goal 3 of 3, a goal image: the last 2 frames" in task.status.message


def test_that_a_new_goal_has_a_plan_made_on_the_frame_that_showed_the_one_before(stack):
    task = make_runner(stack, [DOWN, Goal("lift both hands"), DOWN])
    clock = Clock(task)
    clock.show(HOME, 3)
    assert clock.reasons == [
        (NOW, ReplanReason.NEW_GOAL), (NOW + FRAME, ReplanReason.NEW_GOAL)
    ]  # fmt: skip
    asked = task.replanning._goal
    assert asked.instruction == "lift both hands"
    hands = task._planner.robot.hand_poses(
        task.replanning.plan.joint_position, task.replanning.plan.gripper_width
    )
    assert hands.position[-1, 0, 2] > HOME.position[0, 2] + 0.01  # upwards, as the words want


def test_that_a_new_goal_without_a_plan_is_planned_for_again_on_the_next_frame(stack, monkeypatch):
    task = make_runner(stack, [DOWN, Goal("lift both hands")])
    clock = Clock(task)
    plan = stack.planner.plan

    def refuse(*arguments):
        return dataclasses.replace(plan(*arguments), plan=NoPlan("nothing was good enough", ()))

    clock.show(HOME)
    first = task.replanning.plan
    with monkeypatch.context() as patch:
        patch.setattr(stack.planner, "plan", refuse)
        clock.show(HOME, 3)
    assert task.replanning.plan is first  # what was in flight goes on
    clock.show(HOME, 2)
    made = [(stamp - NOW) // FRAME for stamp, _ in clock.reasons]
    assert made == [0, 1, 2, 3, 4]
    assert {reason for _, reason in clock.reasons} == {ReplanReason.NEW_GOAL}
    assert isinstance(task.replanning.plan, Plan) and task.replanning.plan is not first


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_that_attempts_without_time_are_bounded_and_the_end_names_the_goal(stack, retries):
    settings = dataclasses.replace(SETTINGS, subgoal_retries=retries)
    task = make_runner(stack, [DOWN, Goal("lift both hands"), DOWN], timeouts_s=[9.0, 1.0, 9.0])
    clock = Clock(task, settings)
    clock.show(HOME, 2)
    begun_ns = clock.now_ns
    while task.status.outcome is None:
        clock.show(HOME)
    assert task.status.outcome is Outcome.TIMEOUT
    assert task.goals.reached == 1
    assert task.goals.retries == retries
    assert task.status.message.startswith(
        "sub-goal 2 of 3, 'lift both hands': not reached within 1.0 s (value "
    )
    assert (f" in each of {retries + 1} attempts" in task.status.message) == (retries > 0)
    assert (clock.now_ns - begun_ns) / SECOND == pytest.approx(
        1.0 + retries, abs=0.15 * (2 + retries)
    )


@pytest.mark.parametrize("retries", [0, 2])
def test_that_attempts_without_a_plan_are_bounded_and_begin_with_a_new_one(tmp_path, retries):
    beyond = actions.pack(LIFTED)
    beyond[[2, 12]] = 1.9  # m, far above the workspace
    stack = make_stack(tmp_path, np.stack([actions.pack(HOME), beyond]))
    settings = dataclasses.replace(SETTINGS, subgoal_retries=retries)
    task = make_runner(stack, [Goal("lift both hands"), DOWN])
    clock = Clock(task, settings)
    while task.status.outcome is None:
        clock.show(HOME)
    assert task.status.outcome is Outcome.NO_PLAN
    assert task.status.message.startswith("sub-goal 1 of 2, 'lift both hands': ")
    assert task.goals.retries == retries
    assert (clock.now_ns - NOW) / SECOND == pytest.approx(1.2 * (retries + 1), abs=0.4)


def test_that_an_attempt_that_succeeds_leaves_the_next_goal_all_of_its_own(stack):
    settings = dataclasses.replace(SETTINGS, subgoal_retries=1)
    task = make_runner(stack, [UP, DOWN, UP], timeouts_s=[1.0, 1.0, 1.0])
    clock = Clock(task, settings)
    clock.show(HOME, 15)
    assert (task.goals.reached, task.goals.retries) == (0, 1)
    clock.show(LIFTED, 2)
    assert (task.goals.reached, task.goals.retries) == (1, 0)
    clock.show(LIFTED, 15)
    assert (task.goals.reached, task.goals.retries) == (1, 1)
    assert task.status.outcome is None


def test_that_the_whole_time_ends_all_attempts(stack):
    settings = dataclasses.replace(SETTINGS, subgoal_retries=100)
    task = make_runner(stack, [DOWN, UP], timeout_s=2.0, timeouts_s=[0.0, 0.5])
    clock = Clock(task, settings)
    clock.show(HOME, 40)
    assert task.status.outcome is Outcome.TIMEOUT
    assert "sub-goal 2 of 2, a goal image: not reached within 2.0 s" in task.status.message
    assert 2 <= task.goals.retries <= 4


def test_that_a_task_goes_on_where_an_earlier_one_ended(stack):
    task = make_runner(stack, [DOWN, Goal("lift both hands")], first=1)
    report, reason = task.cycle(window_at(NOW), NOW, SETTINGS)
    assert reason is ReplanReason.NEW_GOAL
    alone = make_runner(stack, [Goal("lift both hands")])
    same, _ = alone.cycle(window_at(NOW), NOW, SETTINGS)
    np.testing.assert_array_equal(report.plan.actions, same.plan.actions)
    task.end(Outcome.CANCELED, "by hand")
    assert task.status.message == "sub-goal 2 of 2, 'lift both hands': by hand"


@pytest.mark.parametrize("asynchronous", [True, False])
def test_that_only_a_planner_that_waits_lets_the_plan_of_a_reached_goal_end(stack, asynchronous):
    settings = dataclasses.replace(SETTINGS, asynchronous=asynchronous)
    task = make_runner(stack, [DOWN, UP])
    clock = Clock(task, settings)
    clock.show(HOME, 16)
    assert task.goals.reached == 1
    (_, first), (second_ns, second) = clock.reasons[:2]
    assert first is second is ReplanReason.NEW_GOAL
    ended_ns = NOW + round((stack.planner.settings.execute_steps + 1) * 0.2 * SECOND)
    assert second_ns == (NOW + FRAME if asynchronous else ended_ns)

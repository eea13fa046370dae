"""The executor: samples plans at now, stops when in doubt, and is silent after a stop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from simple_plans import LIMITS, D, make_plan, wandering_plan

from wm_planner.executor import Executor, ExecutorSettings, ExecutorState, Hold
from wm_planner.types import Command

PERIOD, AHEAD = 0.02, 0.06


class World:
    """Drives an executor; the arms do what they are told, unless somebody is silent."""

    def __init__(self, **settings):
        values = {"period_s": PERIOD, "look_ahead_s": AHEAD, **settings}
        self.executor = Executor(LIMITS, ExecutorSettings(**values))
        self.now = 0.0
        self.position, self.width = np.zeros(D), np.full(2, 0.08)
        self.joints_alive = self.planner_alive = True
        self.sent: list[Command] = []
        self.told: list[Command | Hold] = []

    def set_plan(self, plan) -> str:
        self.hear()
        return self.executor.set_plan(plan, self.ns)

    def hear(self) -> None:
        if self.joints_alive:
            self.executor.see_joints(self.position, self.width, self.ns)
        if self.planner_alive:
            self.executor.see_planner(self.ns)

    def run(self, seconds: float, period: float = PERIOD) -> list[Command | Hold]:
        told = []
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.hear()
            told.append(self.executor.next_command(self.ns))
            if isinstance(told[-1], Command):
                self.sent.append(told[-1])
                self.position = told[-1].joint_position
            self.now += period
        self.told += told
        return told

    @property
    def ns(self) -> int:
        return round(self.now * 1e9)

    def assert_limits_kept(self) -> None:
        """Divided differences of a stream from one motion are no more than its peaks."""
        start_ns = self.sent[0].stamp_ns
        stamps = np.array([c.stamp_ns - start_ns for c in self.sent])[:, None] * 1e-9
        position = np.array([c.joint_position for c in self.sent])
        velocity = np.array([c.joint_velocity for c in self.sent])
        width = np.array([c.gripper_width for c in self.sent])
        passed, spans = np.diff(stamps, axis=0), (stamps[2:] - stamps[:-2]) / 2
        acceleration = np.diff(velocity, axis=0) / passed
        rates = {
            "position": np.abs(position) / 2.0,
            "velocity": np.abs(velocity) / 2.5,
            "way": np.abs(np.diff(position, axis=0) / passed) / 2.5,
            "acceleration": np.abs(acceleration) / 15.0,
            "jerk": np.abs(np.diff(acceleration, axis=0) / spans) / 150.0,
            "width": np.abs(np.diff(width, axis=0) / passed) / 1.0,
        }
        for name, share in rates.items():
            assert share.max(initial=0.0) <= 1.0 + 1e-6, name


@pytest.fixture
def world() -> World:
    return World()


def test_that_nothing_is_sent_before_the_first_plan(world):
    told = world.run(0.1)
    assert all(isinstance(t, Hold) and t.state is ExecutorState.IDLE for t in told)


def test_that_the_plan_is_sampled_at_now(world):
    assert world.set_plan(make_plan(speed=0.2)) == ""
    world.run(1.0)
    for command in world.sent:
        if command.stamp_ns >= 0.3e9:  # on the way from rest it is a little behind
            np.testing.assert_allclose(command.joint_position, 0.2 * command.stamp_ns * 1e-9)
            np.testing.assert_allclose(command.joint_velocity, 0.2)
            assert command.plan_id == 1
            assert command.step == int(np.ceil(command.stamp_ns / 0.2e9 - 1e-6)) - 1
    assert world.sent[0].stamp_ns == pytest.approx(AHEAD * 1e9)
    assert world.executor.late_steps == 0


def test_that_late_rows_are_skipped_and_counted(world):
    world.now = 0.5
    assert world.set_plan(make_plan(speed=0.1)) == ""
    world.run(0.5)
    assert world.executor.late_steps == 2
    assert world.sent[-1].joint_position[0] == pytest.approx(0.1 * world.sent[-1].stamp_ns * 1e-9)


def test_that_rows_missed_by_late_ticks_are_counted(world):
    world.set_plan(make_plan(speed=0.1))
    world.run(0.1)
    world.now += 0.62  # the process was not scheduled
    world.joints_alive = True
    world.run(0.1)
    assert world.executor.late_steps == 2
    assert world.sent[-1].joint_position[0] == pytest.approx(0.1 * world.sent[-1].stamp_ns * 1e-9)


def test_that_past_the_end_it_decelerates_and_holds_in_silence(world):
    world.set_plan(make_plan(speed=1.0, horizon=4))
    world.run(1.5)
    assert world.executor.state is ExecutorState.HOLDING
    assert isinstance(world.told[-1], Hold)
    np.testing.assert_allclose(world.sent[-1].joint_velocity, 0.0, atol=1e-9)
    # From v = 1 rad/s with J = 150 rad/s^3: sqrt(v / J) v further, 2 sqrt(v / J) later.
    assert 0.8 < world.sent[-1].joint_position[0] < 0.8 + np.sqrt(1 / 150) + 1e-6
    assert world.sent[-1].stamp_ns * 1e-9 < 0.8 + 2 * np.sqrt(1 / 150) + PERIOD
    world.assert_limits_kept()


def test_that_a_new_plan_is_blended_in_within_the_limits(world):
    world.set_plan(make_plan(speed=0.5))
    world.run(0.8)
    here = world.position[0]
    assert world.set_plan(make_plan(0.8, speed=-0.4, origin=here + 0.02, plan_id=2)) == ""
    world.run(1.0)
    world.assert_limits_kept()
    assert world.sent[-1].plan_id == 2
    expected = here + 0.02 - 0.4 * (world.sent[-1].stamp_ns * 1e-9 - 0.8)
    assert world.sent[-1].joint_position[0] == pytest.approx(expected)


@pytest.mark.parametrize("silent", ["joints", "planner"])
def test_that_silence_stops_and_only_a_new_plan_goes_on(world, silent):
    world.set_plan(make_plan(speed=1.0))
    world.run(0.4)
    died = world.now
    setattr(world, f"{silent}_alive", False)
    world.run(1.0)
    assert world.executor.state is ExecutorState.STOPPED
    assert world.executor.reason.startswith(f"{silent} silent for 0.")
    assert isinstance(world.told[-1], Hold)
    assert world.sent[-1].stamp_ns * 1e-9 - died < 0.55
    np.testing.assert_allclose(world.sent[-1].joint_velocity, 0.0, atol=1e-9)
    world.assert_limits_kept()
    setattr(world, f"{silent}_alive", True)
    assert all(isinstance(t, Hold) for t in world.run(0.3))
    assert world.set_plan(make_plan(0.2, plan_id=2)) == "it was made before the stop"
    assert world.set_plan(make_plan(world.now, origin=world.position[0], plan_id=3)) == ""
    assert isinstance(world.run(0.1)[-1], Command)


def test_that_nan_joints_count_as_silence(world):
    world.set_plan(make_plan())
    world.run(0.2)
    world.joints_alive = False
    for _ in range(20):
        world.executor.see_joints(np.full(D, np.nan), world.width, world.ns)
        world.run(PERIOD)
    assert world.executor.state is ExecutorState.STOPPED


def test_that_an_emergency_stop_is_silent_at_once_and_needs_a_reset(world):
    world.set_plan(make_plan(speed=1.0))
    world.run(0.4)
    world.executor.emergency_stop()
    assert all(isinstance(t, Hold) for t in world.run(0.5))
    assert world.set_plan(make_plan(world.now, plan_id=2)) == "emergency stop is on"
    world.executor.reset(world.ns)
    assert all(isinstance(t, Hold) for t in world.run(0.2))
    assert world.set_plan(make_plan(world.now - 0.3, plan_id=3)) == "it was made before the stop"
    assert world.set_plan(make_plan(world.now, origin=world.position[0], plan_id=4)) == ""
    assert isinstance(world.run(0.1)[-1], Command)


def test_that_older_plans_are_refused_and_the_present_one_goes_on(world):
    world.set_plan(make_plan(0.0, speed=0.5))
    world.run(0.4)
    assert world.set_plan(make_plan(0.4, origin=world.position[0], plan_id=2)) == ""
    assert world.set_plan(make_plan(0.2, plan_id=3)) == "it is older than plan 2"
    assert world.run(0.1)[-1].plan_id == 2


def test_that_plans_that_cannot_be_followed_are_refused(world):
    assert world.executor.set_plan(make_plan(), 0) == "joints are not measured"
    world.now = 3.0
    assert world.set_plan(make_plan()) == "it is over"
    far = make_plan(3.0, horizon=2, origin=1.9, speed=0.1)
    assert world.set_plan(far) == "it cannot be joined within the limits"
    zigzag = np.where(np.arange(12)[:, None] % 2, 0.2, -0.2) * np.ones(D)
    wild = dataclasses.replace(make_plan(3.0), joint_position=zigzag)
    assert world.set_plan(wild) == "its acceleration is 1.33 of a joint's limit"
    assert world.executor.state is ExecutorState.IDLE


def test_that_joint_limits_hold_even_while_braking(world):
    world.position = np.full(D, 1.7)
    assert world.set_plan(make_plan(speed=0.5, horizon=3, origin=1.7)) == ""
    world.run(1.5)
    assert max(c.joint_position.max() for c in world.sent) <= 2.0 + 1e-6
    world.assert_limits_kept()
    towards = make_plan(world.now, speed=0.5, horizon=3, origin=1.7, plan_id=2)
    rows = np.minimum(towards.joint_position + 0.2, 2.0)  # the last one is at the joints' end
    assert world.set_plan(dataclasses.replace(towards, joint_position=rows)) == ""
    world.run(1.5)
    assert world.executor.reason in ("the plan is over", "the plan leaves no room to stop")
    world.assert_limits_kept()


def test_that_a_clock_that_goes_back_ends_the_plan(world):
    world.now = 5.0
    world.set_plan(make_plan(5.0))
    world.run(0.4)
    world.now = 1.0
    assert isinstance(world.run(PERIOD)[-1], Hold)
    assert world.executor.reason == "the clock went back"
    assert world.set_plan(make_plan(world.now, origin=world.position[0], plan_id=2)) == ""
    assert isinstance(world.run(0.1)[-1], Command)


def test_that_the_grip_is_kept_between_plans(world):
    """What is held keeps the fingers apart; the next plan must start from the squeeze."""
    world.set_plan(make_plan(horizon=3))
    world.run(1.2)
    world.width = np.full(2, 0.06)  # measured: the object is in the way
    world.set_plan(make_plan(world.now, origin=world.position[0], plan_id=2))
    assert world.run(PERIOD)[-1].gripper_width == pytest.approx([0.04, 0.04])


def test_that_a_stopped_arm_that_was_moved_by_hand_starts_where_it_is(world):
    world.set_plan(make_plan(horizon=3))
    world.run(1.2)
    world.position = world.position + 0.5
    assert world.set_plan(make_plan(world.now, origin=world.position[0], plan_id=2)) == ""
    start = world.position[0]
    world.run(0.3)
    assert abs(world.sent[-1].joint_position[0] - start) < 0.3


@pytest.mark.parametrize("seed", range(6))
def test_that_whatever_is_asked_and_whenever_it_stops_all_that_is_sent_keeps_the_limits(seed):
    """Plans from elsewhere, too fast, late or at the joints' ends; stops, silence, late ticks."""
    generator, world, answers = np.random.default_rng(seed), World(), []
    for number in range(1, 30):
        share = generator.choice([0.3, 0.9, 1.0, 1.0, 1.5])
        plan = wandering_plan(generator, share, start_s=world.now, plan_id=number)
        if generator.random() < 0.8:  # as plans do, it begins near where the arms are
            rows = plan.joint_position + world.position - plan.joint_position[0]
            rows += generator.normal(size=D) * 0.02
            rows = np.clip(rows, -2.0, 2.0)
            plan = dataclasses.replace(plan, joint_position=rows)
        late_ns = round(generator.choice([0.0, 0.0, 0.3]) * 1e9)
        answers.append(world.set_plan(dataclasses.replace(plan, start_ns=plan.start_ns - late_ns)))
        world.run(generator.uniform(0.05, 1.2), generator.uniform(0.5, 2.0) * PERIOD)
        what = generator.random()
        if what < 0.2:
            world.executor.stop("somebody asked", world.ns)
            world.run(generator.uniform(0.0, 0.5))
        elif what < 0.3:
            world.now += generator.uniform(0.0, 0.24)  # the process was not scheduled
    world.run(3.0)
    world.assert_limits_kept()
    assert isinstance(world.told[-1], Hold)
    assert answers.count("") >= 8
    assert any("limit" in answer for answer in answers)


def test_that_widths_change_no_faster_than_fingers_move(world):
    world.run(0.1)
    world.now = 0.13  # the first row is due soon after what is aimed at
    plan = dataclasses.replace(make_plan(speed=0.0), gripper_width=np.full((12, 2), 0.0))
    assert world.set_plan(plan) == ""
    world.run(0.5)
    world.assert_limits_kept()
    np.testing.assert_allclose(world.sent[-1].gripper_width, 0.0)


def test_that_the_stop_in_hand_begins_with_the_last_command(world):
    assert world.executor.stop_in_hand is None
    world.set_plan(make_plan(speed=1.0))
    world.run(0.6)
    last, ahead = world.sent[-1], world.executor.stop_in_hand
    here = ahead.sample(last.stamp_ns)
    np.testing.assert_allclose(here.position, last.joint_position)
    np.testing.assert_allclose(here.velocity, last.joint_velocity)
    world.executor.stop("somebody asked", world.ns)
    world.run(1.0)
    np.testing.assert_allclose(
        world.sent[-1].joint_position, ahead.sample(ahead.end_ns).position, atol=1e-6
    )
    assert world.executor.stop_in_hand is None

"""The controller against what ros2_controllers' joint trajectory controller does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from wm_planner.rigs.joint_trajectory_controller import (
    JointTrajectory,
    JointTrajectoryController,
    TrajectoryRejectedError,
)

SECOND = 1_000_000_000
NOW = 100 * SECOND
NAMES = ("a", "b")


def trajectory(**changes: object) -> JointTrajectory:
    fields: dict = {
        "joint_names": NAMES,
        "start_ns": NOW,
        "time_from_start_ns": (SECOND, 2 * SECOND),
        "position": ((1.0, -1.0), (2.0, -2.0)),
        "velocity": ((1.0, -1.0), (0.0, 0.0)),
    }
    return JointTrajectory(**{**fields, **changes})


def controller() -> JointTrajectoryController:
    return JointTrajectoryController(NAMES, np.zeros(2))


def test_it_stays_where_it_is_until_told_otherwise():
    position, velocity = controller().sample(NOW)
    assert position.tolist() == [0, 0]
    assert velocity.tolist() == [0, 0]


def test_it_passes_every_point_with_its_velocity_and_holds_the_last_one():
    arm = controller()
    arm.update(trajectory(), NOW)
    position, velocity = arm.sample(NOW + SECOND)
    assert position == pytest.approx([1, -1])
    assert velocity == pytest.approx([1, -1])
    for later in (2, 3, 3000):
        position, velocity = arm.sample(NOW + later * SECOND)
        assert position == pytest.approx([2, -2])
        assert velocity.tolist() == [0, 0]


def test_position_and_velocity_are_continuous_when_a_trajectory_replaces_another():
    arm = controller()
    arm.update(trajectory(), NOW)
    now = NOW + SECOND * 3 // 2
    before = arm.sample(now)
    arm.update(trajectory(start_ns=now, position=((0.0, 0.0), (0.0, 0.0))), now)
    after = arm.sample(now)
    assert after[0] == pytest.approx(before[0])
    assert after[1] == pytest.approx(before[1])


def test_the_reported_velocity_is_the_derivative_of_the_position():
    arm = controller()
    arm.update(trajectory(), NOW)
    step = 1000
    for time_ns in range(NOW + SECOND // 10, NOW + 2 * SECOND, SECOND // 7):
        ahead, behind = arm.sample(time_ns + step)[0], arm.sample(time_ns - step)[0]
        slope = (ahead - behind) / (2 * step * 1e-9)
        assert arm.sample(time_ns)[1] == pytest.approx(slope, abs=1e-4)


def test_without_velocities_it_goes_straight_from_point_to_point():
    arm = controller()
    arm.update(trajectory(velocity=()), NOW)
    assert arm.sample(NOW + SECOND // 2)[0] == pytest.approx([0.5, -0.5])
    assert arm.sample(NOW + SECOND * 3 // 2)[0] == pytest.approx([1.5, -1.5])


def test_columns_are_matched_by_name():
    arm = controller()
    arm.update(trajectory(joint_names=("b", "a")), NOW)
    assert arm.sample(NOW + 2 * SECOND)[0] == pytest.approx([-2, 2])


def test_stamp_zero_starts_on_arrival():
    arm = controller()
    arm.update(trajectory(start_ns=0), NOW)
    assert arm.sample(NOW + SECOND)[0] == pytest.approx([1, -1])


def test_a_future_stamp_delays_both_arms_alike():
    early, late = controller(), controller()
    start = NOW + SECOND // 10
    early.update(trajectory(start_ns=start), NOW)
    late.update(trajectory(start_ns=start), NOW + SECOND // 20)
    assert early.sample(start + SECOND)[0] == pytest.approx(late.sample(start + SECOND)[0])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"joint_names": ("a", "c")}, "joint c is not one of a, b"),
        ({"joint_names": ("a",)}, "expected all of"),
        ({"joint_names": ("a", "a")}, "expected all of"),
        ({"time_from_start_ns": (), "position": (), "velocity": ()}, "no points"),
        ({"time_from_start_ns": (SECOND, SECOND)}, "strictly increasing"),
        ({"time_from_start_ns": (-SECOND, SECOND)}, "strictly increasing"),
        ({"position": ((1.0,), (2.0, 2.0))}, "position of point 0: got 1 values for 2 joints"),
        ({"velocity": ((1.0, 1.0), (0.0,))}, "velocity of point 1"),
        ({"velocity": ((0.0, 0.0), (0.1, 0.0))}, "velocity of the last point"),
        ({"position": ((1.0, float("nan")), (2.0, 2.0))}, "not finite"),
        ({"start_ns": NOW - 3 * SECOND}, "in the past"),
    ],
)
def test_what_the_real_controller_rejects_is_rejected_and_changes_nothing(changes, reason):
    arm = controller()
    arm.update(trajectory(), NOW)
    before = arm.sample(NOW + SECOND // 2)
    with pytest.raises(TrajectoryRejectedError, match=reason):
        arm.update(trajectory(**changes), NOW + SECOND // 4)
    assert arm.sample(NOW + SECOND // 2)[0] == pytest.approx(before[0])


def test_hold_brakes_within_the_deceleration_and_rests():
    arm = controller()
    arm.update(trajectory(), NOW)
    now = NOW + SECOND
    arm.hold(now)
    speeds = [arm.sample(now + i * SECOND // 100)[1][0] for i in range(20)]
    assert speeds[0] == pytest.approx(1.0)
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(speeds))
    assert np.abs(np.diff(speeds)).max() <= 10.0 / 100 + 1e-9
    assert arm.sample(now + SECOND)[0] == pytest.approx([1.05, -1.05])

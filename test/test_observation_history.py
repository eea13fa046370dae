"""The history: evenly spaced windows, or none; before the beginning the robot stood still."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner import actions
from wm_planner.observation_history import ObservationHistory
from wm_planner.types import HandPoses, Observation

DT = 0.2


def pose(x: float) -> HandPoses:
    return HandPoses(np.full((2, 3), x), np.stack([np.eye(3)] * 2), np.full(2, 0.05))


def observe(time_s: float, value: int = 0) -> Observation:
    image = np.full((2, 2, 3), value % 256, np.uint8)
    return Observation(
        round(time_s * 1e9), {"head": image}, np.full(12, time_s), np.zeros(12), np.zeros(2)
    )


def fill(history: ObservationHistory, times) -> None:
    for i, time_s in enumerate(times):
        history.add(observe(time_s, i), pose(i), pose(i + 0.5))


def test_that_there_is_no_window_before_the_first_frame():
    assert ObservationHistory(DT, 2).window() is None


def test_that_the_first_frame_is_repeated_as_standing_still():
    history = ObservationHistory(DT, 3)
    history.add(observe(7.0, 5), pose(1))
    window = history.window()
    np.testing.assert_allclose(window.stamps_ns * 1e-9, [6.6, 6.8, 7.0])
    assert (window.images["head"] == 5).all()
    np.testing.assert_allclose(window.actions, np.stack([actions.identity(np.full(2, 0.05))] * 2))


def test_that_frames_are_picked_dt_apart_from_a_faster_camera():
    history = ObservationHistory(DT, 3)
    fill(history, np.arange(0, 1.01, 1 / 30))
    window = history.window()
    np.testing.assert_allclose(np.diff(window.stamps_ns) * 1e-9, DT, atol=1 / 30)
    assert window.newest_stamp_ns == 1_000_000_000
    assert window.images["head"][-1, 0, 0, 0] == 30
    assert window.images["head"][-2, 0, 0, 0] == 24


def test_that_actions_lead_from_the_measured_to_the_commanded_pose():
    history = ObservationHistory(DT, 3)
    fill(history, [0.0, 0.2, 0.4])
    expected = [actions.encode(pose(0), pose(1.5)), actions.encode(pose(1), pose(2.5))]
    np.testing.assert_allclose(history.window().actions, expected)


def test_that_a_gap_gives_no_window_until_it_is_past():
    history = ObservationHistory(DT, 2)
    fill(history, [0.0, 0.2, 0.4, 0.9])
    assert history.window() is None
    history.add(observe(1.1), pose(0))
    assert history.window() is not None


@pytest.mark.parametrize("stamp", [0.4, 0.2])
def test_that_repeated_and_backward_stamps_are_dropped_and_counted(stamp):
    history = ObservationHistory(DT, 2)
    fill(history, [0.0, 0.2, 0.4])
    assert not history.add(observe(stamp, 99), pose(9))
    assert history.dropped == 1
    assert history.window().images["head"].max() == 2


def test_that_only_what_a_window_needs_is_kept():
    history = ObservationHistory(DT, 2)
    fill(history, np.arange(0, 20, 0.05))
    assert len(history._entries) < 10
    assert history.window() is not None


def test_that_clear_forgets_and_time_may_start_anew():
    history = ObservationHistory(DT, 2)
    fill(history, [5.0, 5.2])
    history.clear()
    assert history.window() is None
    assert history.add(observe(0.0), pose(0))
    assert history.window().newest_stamp_ns == 0


def test_that_a_camera_that_missed_a_frame_is_left_out():
    history = ObservationHistory(DT, 2)
    fill(history, [0.0])
    both = observe(0.2)
    images = {**both.images, "wrist": np.zeros((2, 2, 3), np.uint8)}
    history.add(Observation(both.stamp_ns, images, *_joints(both)), pose(0))
    assert list(history.window().images) == ["head"]


def _joints(observation: Observation) -> tuple[np.ndarray, ...]:
    return observation.joint_position, observation.joint_velocity, observation.gripper_width

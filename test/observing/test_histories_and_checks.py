"""What arrives apart is joined by time, and what is not fit for planning is dropped and counted."""

from __future__ import annotations

import numpy as np
import pytest
from painted_rig import RIG, ROBOT

from wm_planner.observing.frame_checks import FrameChecks, FrameSettings
from wm_planner.observing.joint_history import JointHistory, JointSample
from wm_planner.observing.observation_assembler import ObservationAssembler
from wm_planner.robot.rig_description import CameraDescription
from wm_planner.types import Command

SECOND = 1_000_000_000
NOW = 100 * SECOND
CAMERA = CameraDescription("image", "info", 6, 8, True)


def sample(stamp_ns: int, value: float = 0.0) -> JointSample:
    return JointSample(stamp_ns, RIG.home + value, np.full(12, value), np.full(2, 0.08))


def test_joints_are_linear_between_samples():
    history = JointHistory()
    history.add(sample(NOW, 0.0))
    history.add(sample(NOW + SECOND, 1.0))
    found = history.at(NOW + SECOND // 4)
    assert found.position == pytest.approx(RIG.home + 0.25)
    assert found.velocity == pytest.approx(np.full(12, 0.25))


def test_joints_are_not_guessed_beyond_the_tolerance():
    history = JointHistory(tolerance_s=0.1)
    assert history.at(NOW) is None
    history.add(sample(NOW))
    assert history.at(NOW + SECOND // 20).stamp_ns == NOW
    assert history.at(NOW - SECOND // 20).stamp_ns == NOW
    assert history.at(NOW + SECOND // 5) is None
    assert history.at(NOW - SECOND // 5) is None


def test_joints_that_are_not_newer_are_dropped_and_a_clock_set_back_starts_over():
    history = JointHistory()
    assert history.add(sample(NOW))
    assert not history.add(sample(NOW))
    assert history.add(sample(NOW - 50 * SECOND))
    assert history.newest.stamp_ns == NOW - 50 * SECOND
    assert history.at(NOW) is None


@pytest.mark.parametrize(
    ("stamp", "size", "reason"),
    [
        (0, (6, 8), "STAMP_ZERO"),
        (NOW + SECOND, (6, 8), "STAMP_IN_FUTURE"),
        (NOW - 2 * SECOND, (6, 8), "TOO_OLD"),
        (NOW, (8, 6), "WRONG_SIZE"),
        (NOW, (6, 8), ""),
    ],
)
def test_frames_are_judged_by_stamp_and_size(stamp, size, reason):
    checks = FrameChecks(CAMERA, FrameSettings())
    assert checks.problem(stamp, NOW, *size) == reason
    assert checks.accepted == (reason == "")
    assert sum(checks.dropped.values()) == (reason != "")


def test_frames_must_come_in_order_until_the_clock_itself_goes_back():
    checks = FrameChecks(CAMERA, FrameSettings())
    assert checks.problem(NOW, NOW, 6, 8) == ""
    assert checks.problem(NOW, NOW, 6, 8) == "STAMP_NOT_NEWER"
    assert checks.problem(NOW - SECOND // 10, NOW, 6, 8) == "STAMP_NOT_NEWER"
    earlier = NOW - 60 * SECOND
    assert checks.problem(earlier, earlier, 6, 8) == ""


def image() -> np.ndarray:
    return np.zeros((6, 8, 3), np.uint8)


def test_windows_hold_what_was_commanded_at_the_time_of_each_frame():
    assembler = ObservationAssembler(ROBOT, "head", 0.2, 2)
    told = RIG.home.copy()
    told[0] += 0.1
    for step in range(4):
        stamp = NOW + step * SECOND // 5
        assembler.add_joints(sample(stamp))
        if step == 2:
            command = Command(stamp, told, np.zeros(12), np.full(2, 0.08), 1, 0)
            assembler.add_command(command)
            # This one is due later: it must not count yet.
            late = Command(stamp + SECOND, RIG.home, np.zeros(12), np.zeros(2), 1, 1)
            assembler.add_command(late)
        assert assembler.add_frame(stamp, image())
    window = assembler.window()
    assert window.newest_stamp_ns == NOW + 3 * SECOND // 5
    moved = (
        ROBOT.hand_poses(told, np.full(2, 0.08)).position
        - ROBOT.hand_poses(RIG.home, np.full(2, 0.08)).position
    )
    assert window.actions[0][:3] == pytest.approx(moved[0])


def test_a_frame_without_joints_is_dropped_and_counted():
    assembler = ObservationAssembler(ROBOT, "head", 0.2, 2)
    assert not assembler.add_frame(NOW, image())
    assert assembler.dropped == {"NO_JOINTS_AT_FRAME": 1}
    assert assembler.window() is None


def test_a_frame_waits_for_the_joints_of_its_time_and_the_order_of_arrival_does_not_matter():
    def observed(order: str) -> ObservationAssembler:
        assembler = ObservationAssembler(ROBOT, "head", 0.2, 1)
        assembler.add_joints(sample(NOW - SECOND // 50))
        arrive = {
            "frame": lambda: assembler.add_frame(NOW, image()),
            "joints": lambda: assembler.add_joints(sample(NOW, 1)),
        }
        news = [arrive[what]() for what in order.split()]
        assert news == [False, True], "an observation is told when it is whole"
        return assembler

    joints_first, frame_first = observed("joints frame").window(), observed("frame joints").window()
    np.testing.assert_array_equal(joints_first.joint_position, frame_first.joint_position)
    np.testing.assert_array_equal(frame_first.joint_position[-1], RIG.home + 1)


def test_frames_wait_in_order_and_not_for_ever():
    assembler = ObservationAssembler(ROBOT, "head", 0.2, 1)
    assembler.add_joints(sample(NOW))
    for step in range(1, 10):
        assert not assembler.add_frame(NOW + step * SECOND // 10, image())
    assert assembler.dropped == {"NO_JOINTS_AT_FRAME": 1}
    assert assembler.add_joints(sample(NOW + SECOND // 2))
    assert assembler.window().newest_stamp_ns == NOW + SECOND // 2, "later ones still wait"
    assembler.add_joints(sample(NOW - 50 * SECOND))
    assert assembler.add_frame(NOW - 50 * SECOND, image()), "the clock was set back"

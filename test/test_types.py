"""The values between the stages cannot be malformed and cannot be changed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from wm_planner.errors import DataError, ShapeError
from wm_planner.types import (
    ActionChunks,
    Command,
    HandPoses,
    Observation,
    ObservationWindow,
    RejectionReason,
    Rollouts,
    Verdicts,
)


def make_window(**changes) -> ObservationWindow:
    values = {
        "stamps_ns": np.array([0, 200_000_000]),
        "images": {"head": np.zeros((2, 4, 6, 3), np.uint8)},
        "joint_position": np.zeros((2, 12)),
        "joint_velocity": np.zeros((2, 12)),
        "gripper_width": np.zeros((2, 2)),
        "actions": np.zeros((1, 20)),
        "dt": 0.2,
    }
    return ObservationWindow(**{**values, **changes})


def test_that_arrays_are_copied_and_read_only():
    source = np.zeros((3, 4, 20))
    chunks = ActionChunks(source, np.zeros((3, 4, 20)), 0.2, 0, "hash")
    source[:] = 1
    assert not chunks.actions.any()
    with pytest.raises(ValueError, match="read-only"):
        chunks.actions[0] = 1


def test_that_a_view_of_a_writable_array_is_copied():
    source = np.zeros((3, 4, 20))
    view = source[:]
    view.setflags(write=False)
    chunks = ActionChunks(view, view, 0.2, 0, "hash")
    source[:] = 1
    assert not chunks.actions.any()


def test_that_a_letter_means_one_size_throughout():
    with pytest.raises(ShapeError, match=r"variance has shape \(2, 4, 20\).*K = 3"):
        ActionChunks(np.zeros((3, 4, 20)), np.zeros((2, 4, 20)), 0.2, 0, "hash")


@pytest.mark.parametrize("size", [19, 21])
def test_that_actions_of_another_size_are_refused(size):
    with pytest.raises(ShapeError, match=r"expected \(K, H, 20\)"):
        ActionChunks(np.zeros((3, 4, size)), np.zeros((3, 4, 20)), 0.2, 0, "hash")


def test_that_floats_do_not_become_pixels():
    with pytest.raises(ShapeError, match="holds float64, expected uint8"):
        Observation(0, {"head": np.zeros((2, 2, 3))}, np.zeros(12), np.zeros(12), np.zeros(2))


def test_that_a_nan_joint_is_named():
    position = np.zeros(12)
    position[5] = np.nan
    with pytest.raises(DataError, match=r"joint_position is nan at index \[5\]"):
        Observation(0, {}, position, np.zeros(12), np.zeros(2))
    with pytest.raises(DataError, match=r"Command\.joint_position"):
        Command(0, position, np.zeros(12), np.zeros(2))


def test_that_uneven_frames_are_refused():
    make_window(stamps_ns=np.array([0, 230_000_000]))
    with pytest.raises(DataError, match=r"0\.300 s apart, expected 0\.2 s"):
        make_window(stamps_ns=np.array([0, 300_000_000]))


def test_that_backward_stamps_are_refused():
    with pytest.raises(DataError, match="apart"):
        make_window(stamps_ns=np.array([200_000_000, 0]))


def test_that_rollouts_are_half_precision():
    rollouts = Rollouts(np.ones((2, 3, 4, 5), np.float32), 0.2, 0, 1, "hash")
    assert rollouts.latents.dtype == np.float16


def test_that_hand_poses_index_their_leading_axes():
    poses = HandPoses(
        np.arange(60.0).reshape(2, 5, 2, 3), np.zeros((2, 5, 2, 3, 3)), np.zeros((2, 5, 2))
    )
    assert poses.lead == (2, 5)
    assert poses[1].lead == (5,)
    assert poses[1, 2].lead == ()
    assert poses[..., -1].lead == (2,)
    assert poses[:, 2:].lead == (2, 3)
    np.testing.assert_array_equal(poses[1, 2].position, np.arange(60.0).reshape(10, 2, 3)[7])


def test_that_nan_rejects_and_sentences_tell_why():
    verdicts = Verdicts(
        "kinematic",
        RejectionReason.JOINT_VELOCITY,
        np.array([1.0, 2.5, 2.6, np.nan]),
        2.5,
        "rad/s",
        ("", "left_joint_1", "left_joint_2", ""),
        np.array([-1, -1, 7, 0]),
    )
    assert verdicts.accepted.tolist() == [True, True, False, False]
    assert verdicts.sentence(2) == (
        "candidate 2: joint velocity 2.6 rad/s at left_joint_2 is over 2.5 rad/s, "
        "first at step 7 (kinematic)"
    )
    assert "within" in verdicts.sentence(1)
    assert "nan" in verdicts.sentence(3)
    assert verdicts.slowdown.tolist() == [1.0] * 4
    slower = dataclasses.replace(verdicts, slowdown=np.array([1.0, 1.75, 1.0, 1.0]))
    assert slower.sentence(1).endswith("is within 2.5 rad/s, if carried out 1.8 times slower")
    with pytest.raises(ShapeError, match=r"slowdown is 0\.5, expected at least 1"):
        dataclasses.replace(verdicts, slowdown=np.array([1.0, 0.5, 1.0, 1.0]))

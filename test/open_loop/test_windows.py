"""Windows: what the planner would have seen, and what was commanded for each later frame."""

from __future__ import annotations

import numpy as np
import pytest
from simple_recording import TASKS, make_recording
from tiny_models import CONTEXT, HEIGHT, HORIZON, WIDTH

from wm_planner.errors import DataError
from wm_planner.open_loop.windows import (
    WindowSizes,
    draw_windows,
    near_miss_windows,
    others_instruction,
    windows_at,
)

SIZES = WindowSizes(CONTEXT, HORIZON, "head", (HEIGHT, WIDTH))


@pytest.fixture
def recording():
    return make_recording()


def test_targets_are_due_at_the_future_frames(recording):
    windows = windows_at(recording, SIZES, np.array([1]), np.array([4]))
    first = recording.episode_offsets[1]
    np.testing.assert_array_equal(windows.at[0], first + np.arange(3, 4 + HORIZON + 1))
    # In this recording the hands are exactly where they were told to be.
    np.testing.assert_array_equal(windows.targets[0], recording.hand_pose[windows.at[0, CONTEXT:]])
    np.testing.assert_array_equal(windows.hand_pose[0], recording.hand_pose[first + 4])
    np.testing.assert_array_equal(windows.images[0], recording.images[windows.at[0]])
    np.testing.assert_array_equal(
        windows.seen[0].images["head"], recording.images[first + 3 : first + 5]
    )


def test_windows_lie_within_their_episodes_and_use_all_before_any_twice(recording, generator):
    windows = draw_windows(recording, SIZES, 9, generator)
    first = recording.episode_offsets[windows.episode][:, None]
    last = recording.episode_offsets[windows.episode + 1][:, None] - 1
    assert ((windows.at >= first) & (windows.at <= last)).all()
    assert set(windows.kind) == {"expert", "play"}
    counts = np.bincount(windows.episode, minlength=5)
    assert counts[3] == 0 and counts[[0, 1, 2, 4]].min() == 2
    long = np.isin(windows.episode, [0, 1, 2])
    assert (np.diff(windows.at[long][:, CONTEXT - 1 :], axis=1) == 1).all()  # nothing repeated


def test_an_episode_that_is_too_short_ends_in_rest(recording):
    windows = windows_at(recording, SIZES, np.array([4]), np.array([0]))
    end = recording.episode_offsets[5] - 1
    np.testing.assert_array_equal(windows.at[0, :CONTEXT], recording.episode_offsets[4])
    np.testing.assert_array_equal(windows.at[0, -2:], end)
    np.testing.assert_array_equal(windows.targets[0, -1], recording.hand_target[end])


def test_only_windows_of_good_episodes_with_a_task_were_asked(recording):
    recording.success = np.array([True, False, False, False, True])
    windows = windows_at(recording, SIZES, np.array([0, 1, 2, 3]), np.zeros(4, int))
    np.testing.assert_array_equal(windows.asked, [True, False, False, False])


def test_near_misses_start_where_the_moved_object_is_seen_twice(recording):
    windows = near_miss_windows(recording, SIZES)
    np.testing.assert_array_equal(windows.episode, [3])
    seen = recording.object_position[windows.at[0, :CONTEXT], 0]
    np.testing.assert_array_equal(seen[0], seen[1])
    before = recording.object_position[windows.at[0, 0] - 1, 0]
    np.testing.assert_allclose(seen[0] - before, [0.05, 0, 0])
    assert near_miss_windows(make_recording((12,), ("expert",)), SIZES) is None


def test_the_wrong_task_is_another_one(recording, generator):
    windows = draw_windows(recording, SIZES, 12, generator)
    wrong = others_instruction(windows, generator)
    for own, other in zip(windows.instruction, wrong, strict=True):
        assert other in TASKS.values() and other != own


def test_taking_windows_keeps_their_parts_together(recording, generator):
    windows = draw_windows(recording, SIZES, 6, generator)
    some = windows.take(windows.kind == "play")
    assert len(some) == len(some.seen) == len(some.targets) > 0
    again = windows.take(np.array([3, 3]))
    assert again.seen[0] is again.seen[1] is windows.seen[3]
    np.testing.assert_array_equal(again.images[1], windows.images[3])


def test_a_dataset_without_motion_is_refused(generator):
    recording = make_recording((12, 12), ("stills", "near_miss"))
    with pytest.raises(DataError, match="no episodes with motion"):
        draw_windows(recording, SIZES, 3, generator)

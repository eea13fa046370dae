"""Several data sets as one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from wm_planner.errors import DataError
from wm_planner.training.source import EpisodeSource, StackedFrames


def test_joined_data_sets_keep_every_frame_in_its_episode(source):
    first = dataclasses.replace(source, object_names=("cube", "bar"))
    second = dataclasses.replace(source, object_names=("bar", "towel"))
    both = EpisodeSource.joined([first, second])
    count = len(source.frames)
    np.testing.assert_array_equal(both.offsets, [*source.offsets, *(source.offsets[1:] + count)])
    assert list(both.kind) == [*source.kind, *source.kind]
    assert both.object_names == ("cube", "bar", "towel")
    np.testing.assert_array_equal(both.object_visible[:count].all(0), [True, True, False])
    np.testing.assert_array_equal(both.object_visible[count:].all(0), [False, True, True])
    np.testing.assert_array_equal(both.object_position[count:, 1:], source.object_position)
    np.testing.assert_array_equal(both.hand_target[count:], source.hand_target)


def test_recordings_of_joined_data_sets_stay_apart(source):
    """Several episodes of one recording belong together, those of two data sets never do."""
    pairs = np.arange(len(source.kind)) // 2
    source = dataclasses.replace(source, object_names=("cube", "bar"))
    joined = EpisodeSource.joined([dataclasses.replace(source, recording=pairs), source, source])
    first, second, third = np.split(joined.recording, 3)
    np.testing.assert_array_equal(first, pairs)
    assert len({*first}) == len(pairs) / 2 and len({*second}) == len({*third}) == len(pairs)
    assert not {*first} & {*second} and not {*second} & {*third} and not {*first} & {*third}


def test_stacked_frames_read_like_one_array(source):
    parts = [source.frames[:10], source.frames[10:13], source.frames[13:]]
    stacked = StackedFrames(parts)
    assert stacked.shape == source.frames.shape and len(stacked) == len(source.frames)
    for rows in (slice(5, 40), slice(None, None, 7), np.array([0, 9, 10, 12, 13, 95, 3, 3])):
        np.testing.assert_array_equal(stacked[rows], source.frames[rows])


def test_data_sets_of_different_image_sizes_are_refused(source):
    with pytest.raises(DataError, match="differ in size"):
        StackedFrames([source.frames, source.frames[:, ::2]])


def test_one_data_set_stays_as_it_is(source):
    assert EpisodeSource.joined([source]) is source

"""Decoding ahead: the same records, pictures and errors as one after the other, and bounded."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from simple_bags import CAMERA, run, write_bag

from wm_planner.errors import DataError
from wm_planner.replay.bag import Bag
from wm_planner.replay.pictures_ahead import PICTURES, RECORDS, decode, with_pictures

COMPRESSED = f"{CAMERA.topic}/compressed"


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = write_bag(tmp_path_factory.mktemp("bag") / "bag", run(compressed=True))
    with Bag(folder) as opened:
        yield opened


def counted(records, taken: list[int]):
    for record in records:
        taken.append(1)
        yield record


def damaged(records, good: int):
    for number, record in enumerate(records):
        if number == good:
            raise DataError("damaged from here on")
        yield record


def test_that_records_and_pictures_are_those_of_one_after_the_other(bag):
    plain = list(bag.records())
    ahead = list(with_pictures(bag, bag.records(), COMPRESSED))
    assert [record for record, _ in ahead] == plain
    assert {record.topic for record, picture in ahead if picture is not None} == {COMPRESSED}
    for record, picture in ahead:
        if picture is not None:
            (stamp_ns, image), (expected_ns, expected) = picture(), decode(bag, record)
            assert stamp_ns == expected_ns
            np.testing.assert_array_equal(image, expected)


def test_that_only_a_few_pictures_are_read_ahead(bag):
    """Memory must not grow with the bag."""
    taken: list[int] = []
    pictures = 0
    for count, (_, picture) in enumerate(
        with_pictures(bag, counted(bag.records(), taken), COMPRESSED), start=1
    ):
        pictures += picture is not None
        assert len(taken) - count <= 6 * PICTURES  # five joint states to a picture
    assert pictures == 20


def test_that_a_topic_without_pictures_is_not_read_to_its_end_first(bag):
    taken: list[int] = []
    ahead = with_pictures(bag, counted(bag.records(), taken), "/nothing")
    next(ahead)
    assert len(taken) <= RECORDS


def test_that_damage_comes_after_everything_before_it(bag):
    got = []
    with pytest.raises(DataError, match="damaged from here on"):
        for record, _ in with_pictures(bag, damaged(bag.records(), 50), COMPRESSED):
            got.append(record)
    assert got == list(bag.records())[:50]


def test_that_a_picture_that_does_not_decode_says_so_when_it_is_taken(bag):
    cut = (
        record._replace(data=record.data[:-30]) if record.topic == COMPRESSED else record
        for record in bag.records()
    )
    _, picture = next(pair for pair in with_pictures(bag, cut, COMPRESSED) if pair[1])
    with pytest.raises(DataError, match="compressed"):
        picture()


def test_that_no_thread_is_left_when_nobody_reads_on(bag):
    ahead = with_pictures(bag, bag.records(), COMPRESSED)
    next(ahead)
    ahead.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("decode")]

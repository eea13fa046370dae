"""Margins over recordings: each counts the same, and what they are is told beside the table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from simple_recording import make_recording
from tiny_models import CONTEXT, HEIGHT, HORIZON, WIDTH

from wm_planner import actions
from wm_planner.open_loop.recording_margins import (
    DREAMED,
    GOING_ON,
    LISTED,
    STILL,
    margins_table,
    paths_without_dreams,
    recording_margins,
)
from wm_planner.open_loop.windows import WindowSizes, windows_at

NAMES = ("monday", "tuesday", "friday")
RECORDING = np.array([0, 0, 0, 0, 1, 2])  # of windows
FAR = 0.004 * np.array([1, 1, 1, 1, 2, 6])  # m
HAND = np.array([[1.0], [0.0]])  # a shift of the left one alone


@pytest.fixture(scope="module")
def windows():
    sizes = WindowSizes(CONTEXT, HORIZON, "head", (HEIGHT, WIDTH))
    return windows_at(make_recording(), sizes, np.array([0, 0, 0, 0, 1, 2]), np.arange(6))


@pytest.fixture(scope="module")
def commanded(windows):
    return actions.unpack(windows.targets).position


def far_off(commanded: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The commanded paths, the left one far above where it belongs, in each window as told."""
    above = commanded.copy()
    above[:, :, 0, 2] += 10 * far[:, None] + 1.0  # too far for another alignment to be better
    return above


def test_every_recording_counts_the_same_and_hands_are_told_apart(windows, commanded):
    other = {"other": far_off(commanded, FAR)}
    found = recording_margins(windows, commanded, other, RECORDING, NAMES, seed=0)
    left, right = found["left"], found["right"]
    assert [one["windows"] for one in left["recordings"].values()] == [4, 1, 1]
    expected = 1e3 * (1.0 + 10 * np.array([0.004, 0.008, 0.024]))
    np.testing.assert_allclose([one["other"] for one in left["recordings"].values()], expected)
    assert left["mean"] == {DREAMED: pytest.approx(0.0), "other": pytest.approx(expected.mean())}
    assert left["nearer"]["other"]["margin"] == pytest.approx(expected.mean())
    low, high = left["nearer"]["other"]["interval"]
    assert expected.min() - 1e-6 <= low < expected.mean() < high <= expected.max() + 1e-6
    assert right["nearer"]["other"]["margin"] == pytest.approx(0.0)


def test_margins_swap_signs_with_the_sides(windows, commanded):
    above = far_off(commanded, FAR)
    one = recording_margins(windows, commanded, {"other": above}, RECORDING, NAMES, seed=0)
    other = recording_margins(windows, above, {"other": commanded}, RECORDING, NAMES, seed=0)
    there, back = (found["left"]["nearer"]["other"]["margin"] for found in (one, other))
    assert there > 1000 and back == pytest.approx(-there)


def test_hands_that_go_on_or_stay_are_right_about_hands_that_do(windows):
    """Straight and even motion is going on as before; none at all is both."""
    sizes = WindowSizes(CONTEXT, HORIZON, "head", (HEIGHT, WIDTH))
    recording = make_recording(lengths=(12,), kinds=("expert",))
    for speed, wrong in ((0.02, {STILL}), (0.0, set())):
        pose = np.repeat(recording.hand_pose[:1], 13, axis=0)
        pose[:, [0, 10]] += speed * np.arange(13)[:, None]
        even = dataclasses.replace(recording, hand_pose=pose[:-1], hand_target=pose[1:])
        window = windows_at(even, sizes, np.array([0]), np.array([3]))
        paths = paths_without_dreams(window)
        truth = actions.unpack(window.targets).position
        off = {name for name, path in paths.items() if not np.allclose(path, truth, atol=1e-6)}
        assert set(paths) == {STILL, GOING_ON} and off == wrong


def test_one_recording_has_a_margin_but_no_interval_and_none_has_nothing(windows, commanded):
    other = {"other": far_off(commanded, FAR)}
    alone = np.zeros(len(windows), int)
    found = recording_margins(windows, commanded, other, alone, NAMES, seed=0)["left"]
    assert found["nearer"]["other"]["interval"] is None
    assert "(one recording)" in margins_table({"left": found})
    nothing = np.zeros(len(windows), bool)
    empty = {"other": far_off(commanded, FAR)[nothing]}
    assert (
        recording_margins(windows.take(nothing), commanded[nothing], empty, alone[nothing], (), 0)
        == {}
    )
    assert margins_table({}) == ""


def test_the_table_lists_recordings_unless_they_are_many(windows, commanded):
    other = {"other": far_off(commanded, FAR)}
    few = recording_margins(windows, commanded, other, RECORDING, NAMES, seed=0)
    table = margins_table(few)
    assert all(f"| {name} |" in table for name in NAMES)
    assert "**mean of 3 recordings** | 6 |" in table
    lengths = {line.count("|") for line in table.splitlines() if line}
    assert len(lengths) == 1  # as many columns everywhere

    times = LISTED // len(windows) + 1
    many = windows.take(np.tile(np.arange(len(windows)), times))
    number = np.arange(len(many))
    tiled = {"other": np.tile(other["other"], (times, 1, 1, 1))}
    names = [f"take {n}" for n in number]
    dreamed = np.tile(commanded, (times, 1, 1, 1))
    table = margins_table(recording_margins(many, dreamed, tiled, number, names, seed=0))
    assert "take" not in table and f"**mean of {len(many)} recordings**" in table

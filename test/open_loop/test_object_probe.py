"""Probes on latents that are known to hold an object's place, or only the hand's."""

from __future__ import annotations

import numpy as np
import pytest
from simple_recording import make_recording
from tiny_models import CONTEXT, HEIGHT, HORIZON, WIDTH

from wm_planner.open_loop.dreams import Dreams
from wm_planner.open_loop.object_figures import (
    BY_HANDS,
    COPIED,
    DREAMED,
    GUESSED,
    NEAR,
    REAL,
    Dreamed,
    Frames,
    beside,
    is_test_episode,
    object_figures,
)
from wm_planner.open_loop.object_probe import distance_mm
from wm_planner.open_loop.windows import WindowSizes, windows_at

pytest.importorskip("torch", reason="probes need the [train] extra")

from wm_planner.training.object_probe import LEAST_FRAMES, fit_probe

SIZES = WindowSizes(CONTEXT, HORIZON, "head", (HEIGHT, WIDTH))


@pytest.fixture(scope="module")
def positions():
    return np.random.default_rng(1).uniform(-0.2, 0.2, (3000, 3))


def latents_of(positions, generator):
    """40 numbers that are functions of a position."""
    mix = np.random.default_rng(2).normal(size=(3, 40)) * 8
    return np.tanh(positions @ mix) + generator.normal(0, 0.01, (len(positions), 40))


def test_a_place_that_is_in_the_latent_is_found(positions, generator):
    latents = latents_of(positions, generator)
    probe = fit_probe(latents[:2500], positions[:2500], seed=0)
    error = distance_mm(probe.read(latents[2500:]), positions[2500:])
    assert np.median(error) < 25
    assert np.median(distance_mm(probe.mean, positions[2500:])) > 150
    assert probe.frames == 2500
    assert probe.read(latents[:6].reshape(2, 3, 40)).shape == (2, 3, 3)


def test_a_place_that_is_not_in_the_latent_is_not_found(positions, generator):
    noise = generator.normal(size=(3000, 40))
    probe = fit_probe(noise[:2500], positions[:2500], seed=0)
    error = distance_mm(probe.read(noise[2500:]), positions[2500:])
    guess = distance_mm(probe.mean, positions[2500:])
    assert np.median(error) > 0.9 * np.median(guess)


def test_the_same_seed_gives_the_same_probe(positions, generator):
    latents = latents_of(positions, generator)
    first, again = (fit_probe(latents[:500], positions[:500], seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.read(latents), again.read(latents))


def test_too_few_frames_give_no_probe(positions):
    few = LEAST_FRAMES - 1
    assert fit_probe(positions[:few], positions[:few], seed=0) is None


def test_distances_are_in_mm():
    assert distance_mm(np.array([0.003, 0.004, 0.0]), np.zeros(3)) == pytest.approx(5.0)


def recording_with_held_cubes():
    """The cube is in the left hand, but for near misses, where it jumps 5 cm aside."""
    lengths, kinds = (30,) * 40, ("expert",) * 32 + ("near_miss",) * 8
    recording = make_recording(lengths, kinds)
    hand = recording.hand_pose[:, :3].copy()
    moved = ~recording.step_good
    hand[moved] += [0.05, 0, 0]
    recording.object_position = hand[:, None]
    return recording


def test_a_latent_that_takes_the_hand_for_the_object_fails_on_near_misses():
    recording = recording_with_held_cubes()
    frames = Frames(latents=recording.hand_pose[:, :3], recording=recording)
    figures, errors = object_figures(
        frames, [], _no_dreams(recording), None, fit_probe, 0, lambda: None
    )
    assert set(errors["cube"]) == {REAL, NEAR}
    assert np.median(errors["cube"][REAL]) < 15
    assert np.median(errors["cube"][NEAR]) == pytest.approx(50, abs=15)
    by_name = {figure.name: figure for figure in figures}
    median = by_name["cube, near miss, real, median"]
    assert median.count == beside(frames, "cube").sum() > 0
    assert median.baselines[GUESSED] > 30 and median.baselines[BY_HANDS] > 30


def test_the_probe_is_fitted_on_all_but_what_it_is_tested_on():
    recording = recording_with_held_cubes()
    tested = is_test_episode(recording)
    assert tested[recording.kind == "near_miss"].all()
    assert tested[:32].sum() == 11 and not tested[1]
    fitted = []

    def remember(inputs, positions, seed):
        fitted.append(inputs[:, 0].astype(int))

    numbered = Frames(np.arange(len(recording.hand_pose))[:, None], recording)
    object_figures(numbered, [], _no_dreams(recording), None, remember, 0, lambda: None)
    own = np.flatnonzero(~tested[numbered.episode])
    np.testing.assert_array_equal(fitted[0], own)
    more = [
        Frames(-np.ones((6, 1)), make_recording((6,), (kind,))) for kind in ("expert", "near_miss")
    ]
    object_figures(numbered, more, _no_dreams(recording), None, remember, 0, lambda: None)
    np.testing.assert_array_equal(fitted[2], [*own, *[-1] * 12])


def test_only_frames_with_a_hand_beside_the_moved_object_are_near_misses():
    recording = make_recording((6, 6), ("near_miss", "expert"))
    left = recording.hand_pose[:, :3]
    away = np.array([0.05, 0.05, 0.05, 0.05, 0.3, 0.079])  # m; moved from the fourth frame on
    recording.object_position = (left - np.concatenate([away, away])[:, None] * [1, 0, 0])[:, None]
    chosen = beside(Frames(np.zeros((12, 1)), recording), "cube")
    np.testing.assert_array_equal(np.flatnonzero(chosen), [3, 5])


def test_objects_are_read_from_dreams_of_test_episodes_alone():
    recording = recording_with_held_cubes()
    place = recording.object_position[:, 0]
    windows = windows_at(recording, SIZES, np.arange(12), np.full(12, 9))  # 4 of them tested
    future, newest = place[windows.at[:, CONTEXT:]], place[windows.at[:, CONTEXT - 1]]
    still = np.repeat(newest[:, None], HORIZON, axis=1)
    # Whoever acts sees where the cube goes; whoever does not sees it stay.
    dreams = Dreams(newest, future, future, still, still, still[:, None], still, still)
    figures, errors = object_figures(
        Frames(place, recording), [], Dreamed(windows, dreams), None, fit_probe, 0, lambda: None
    )
    (median,) = (f for f in figures if f.name == "cube, dreamed, median")
    assert median.count == 4 * HORIZON == len(errors["cube"][DREAMED])
    assert median.value < 15
    gone = 1e3 * np.linalg.norm(future - still, axis=-1)[::3]  # every third is tested
    assert median.baselines[COPIED] == pytest.approx(np.median(gone), abs=10)
    assert median.baselines["no action, no task"] == pytest.approx(median.baselines[COPIED])


def test_a_dream_that_loses_the_object_at_its_end_is_seen_at_its_frames():
    recording = recording_with_held_cubes()
    place, sizes = recording.object_position[:, 0], WindowSizes(CONTEXT, 9, "head", (HEIGHT, WIDTH))
    episode, at = np.repeat(np.arange(0, 30, 3), 3), np.tile([4, 8, 12], 10)  # all of them tested
    windows = windows_at(recording, sizes, episode, at)
    future, newest = place[windows.at[:, CONTEXT:]], place[windows.at[:, CONTEXT - 1]]
    lost = future.copy()
    lost[:, 7:] = newest[:, None]  # from the eighth frame on it is where it was
    dreams = Dreams(newest, future, lost, lost, lost, lost[:, None], lost, lost)
    figures, _ = object_figures(
        Frames(place, recording), [], Dreamed(windows, dreams), None, fit_probe, 0, lambda: None
    )
    by_name = {figure.name: figure for figure in figures}
    eighth = by_name["cube, dreamed, frame 8, median"]
    gone = 1e3 * np.linalg.norm(future[:, 7] - newest, axis=-1)
    assert eighth.count == 30
    assert eighth.value == pytest.approx(np.median(gone), abs=10)
    assert eighth.value == eighth.baselines[COPIED] > by_name["cube, dreamed, median"].value + 5
    assert "cube, dreamed, frame 16, median" not in by_name  # it does not go as far


def _no_dreams(recording):
    windows = windows_at(recording, SIZES, np.array([1]), np.array([3]))  # was fitted on
    nothing = np.zeros((1, HORIZON, 3))
    names = ("real", "acted", "shuffled", "idle", "wrong", "towards")
    dreams = Dreams(newest=nothing[:, 0], free=nothing[None], **dict.fromkeys(names, nothing))
    return Dreamed(windows, dreams)

"""The drift monitor: late is not lost, lost is told soon, and what is no number is lost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from simple_plans import make_plan

from wm_planner.drift.drift_monitor import DriftMonitor, own_error
from wm_planner.drift.drift_settings import DriftSettings
from wm_planner.errors import ConfigurationError
from wm_planner.settings import from_mapping

H, START = 12, 50.0
SETTINGS = DriftSettings(drift_limit=2.0, drift_steps=3.0, drift_band=2.0)
ERROR = 0.1


def dream(seed: int = 0) -> np.ndarray:
    """Latents of H + 1 frames, of which the first is the start; float16 as in a plan."""
    steps = np.random.default_rng(seed).standard_normal((H + 1, 2, 10)) * 0.5
    return np.cumsum(steps, axis=0).astype(np.float16).astype(np.float64)


def monitor(latents: np.ndarray, slowdown: float = 1.0, settings=SETTINGS, scale=1.0):
    plan = make_plan(START, horizon=H, dt=0.2 * slowdown)
    plan = dataclasses.replace(plan, dream=scale * latents[1:])
    return DriftMonitor(plan, scale * latents[0], scale * ERROR, settings)


def stamp(step: float, slowdown: float = 1.0) -> int:
    return round((START + step * 0.2 * slowdown) * 1e9)


def off(latents: np.ndarray, errors: float) -> np.ndarray:
    """That many of the model's own errors away, in a direction where the dream never goes."""
    return latents + errors * ERROR * np.where(np.arange(latents.size) % 2, 1, -1).reshape(2, 10)


@pytest.mark.parametrize("slowdown", [1.0, 1.7, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_that_a_stream_that_replays_the_dream_never_drifts(seed, slowdown):
    latents = dream(seed)
    watch = monitor(latents, slowdown)
    for step in range(1, H + 1):
        reading = watch.read(latents[step], stamp(step, slowdown))
        assert not reading.drifted
        assert reading.cost == pytest.approx(0.0, abs=1e-6)
        assert reading.step == pytest.approx(step, abs=1e-6)
        assert reading.lateness == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("late", [1, 2])
@pytest.mark.parametrize("slowdown", [1.0, 2.0])
def test_that_the_same_stream_a_little_late_is_late_and_no_drift(late, slowdown):
    latents = dream()
    watch = monitor(latents, slowdown)
    for step in range(1, H + 1):
        reading = watch.read(latents[max(step - late, 0)], stamp(step, slowdown))
        assert not reading.drifted
        if step > late:
            assert reading.lateness == pytest.approx(late, abs=1e-6)


@pytest.mark.parametrize("leaves", [1, 5, 8])
def test_that_a_stream_that_leaves_the_path_has_drifted_within_as_many_frames_as_it_must_last(
    leaves,
):
    latents = dream()
    watch = monitor(latents)
    drifted = {}
    for step in range(1, H + 1):
        frame = latents[step] if step < leaves else off(latents[step], 6.0)
        drifted[step] = watch.read(frame, stamp(step)).drifted
    assert not any(drifted[step] for step in range(1, leaves + 2))
    assert all(drifted[step] for step in range(leaves + 3, H + 1))  # one more for the memory


def test_that_a_frame_or_two_aside_are_no_drift_and_that_coming_back_ends_it():
    latents = dream()
    aside = [4, 5]  # then back for as long as it takes, then away for good, then back
    away, back = monitor(latents, settings=dataclasses.replace(SETTINGS, drift_memory=0.0)), []
    for step in range(1, H + 1):
        frame = off(latents[step], 6.0) if step in aside else latents[step]
        assert not away.read(frame, stamp(step)).drifted
    again = monitor(latents, settings=dataclasses.replace(SETTINGS, drift_memory=0.0))
    for step in range(1, H + 1):
        frame = off(latents[step], 6.0) if step <= 5 else latents[step]
        back.append(again.read(frame, stamp(step)).drifted)
    assert back == [False] * 2 + [True] * 5 + [False] * 5


def test_that_how_fast_frames_come_does_not_decide():
    latents = dream()
    told = []
    for rate in (1, 4):
        watch, first = monitor(latents), None
        for number in range(1, H * rate + 1):
            step = number / rate
            low = min(int(step), H - 1)
            frame = latents[low] + (step - low) * (latents[low + 1] - latents[low])
            frame = off(frame, 6.0) if step >= 4 else frame
            if watch.read(frame, stamp(step)).drifted and first is None:
                first = step
        told.append(first)
    assert told[0] is not None
    assert abs(told[0] - told[1]) <= 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_that_what_is_no_number_is_drift_and_not_silence(value):
    latents = dream()
    watch = monitor(latents)
    readings = [watch.read(np.full((2, 10), value), stamp(step)) for step in range(1, 4)]
    assert np.isinf(readings[0].cost)
    assert readings[-1].drifted
    broken = monitor(np.where(np.arange(H + 1)[:, None, None] >= 1, value, latents))
    assert [broken.read(latents[step], stamp(step)).drifted for step in range(1, 4)][-1]


def test_that_the_limit_means_the_same_for_latents_of_any_scale():
    latents = dream()
    costs = []
    for scale in (1.0, 30.0):
        watch = monitor(latents, scale=scale)
        seen = [scale * off(latents[step], 1.5) for step in range(1, H + 1)]
        costs.append([watch.read(f, stamp(k + 1)).cost for k, f in enumerate(seen)])
    np.testing.assert_allclose(costs[0], costs[1], rtol=0.02)  # float16
    assert max(costs[0]) < 2.0


def test_that_an_old_frame_changes_nothing():
    latents = dream()
    watch = monitor(latents)
    first = watch.read(latents[3], stamp(3))
    assert watch.read(np.full((2, 10), np.nan), stamp(3)) is first
    assert watch.read(np.full((2, 10), np.nan), stamp(1)) is first


def test_that_no_model_is_perfect():
    latent = dream()[3]
    assert own_error(latent, latent) == pytest.approx(0.01 * np.sqrt((latent**2).mean()))
    assert own_error(latent, latent + 0.5) == pytest.approx(0.5)
    assert own_error(np.zeros(3), np.zeros(3)) > 0


def test_that_settings_refuse_what_is_none():
    with pytest.raises(ConfigurationError, match="expected one of 'replan', 'stop', 'ignore'"):
        from_mapping(DriftSettings, {"on_drift": "panic"})

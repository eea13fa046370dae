"""Films of episodes: every frame once, those that failed, and the same results as without."""

from __future__ import annotations

import dataclasses

import av
import pytest
from painted_rig import PaintedRig, make_stack, open_painted_rig

from wm_planner.closed_loop import evaluation as module
from wm_planner.closed_loop import run_episode
from wm_planner.closed_loop.episode_film import SCALE, EpisodeFilm, _disturbed
from wm_planner.closed_loop.evaluation import Evaluation
from wm_planner.rigs.disturbance import Disturbed
from wm_planner.types import Goal


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


def frames_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.average_rate, [f.to_ndarray(format="rgb24") for f in container.decode(stream)]


def test_that_a_film_shows_every_frame_once_at_the_episodes_pace(stack, tmp_path):
    film, seen = EpisodeFilm("head"), {}

    def watch(observation, report):
        film(observation, report)
        seen[observation.stamp_ns] = observation.images["head"]

    result = run_episode(stack, PaintedRig(), [Goal("lift both hands")], "lift", 3, watch=watch)
    path = film.write(tmp_path, result, dt=0.2)
    assert path.name == "lift_3_success.mp4"
    rate, frames = frames_of(path)
    assert rate == 5
    assert len(frames) == len(seen) >= 5
    for frame, picture in zip(frames, seen.values(), strict=True):
        height, width = (SCALE * size for size in picture.shape[:2])
        bottom = frame.shape[0] - frame.shape[0] % 2
        shown = frame[bottom - height - 7 : bottom - 6, 6 : 6 + width].mean()
        assert shown == pytest.approx(picture.mean(), abs=12)


@pytest.mark.parametrize("everything", [False, True])
def test_that_failures_are_filmed_or_all(stack, tmp_path, monkeypatch, everything):
    rig = open_painted_rig(stack.rig_description)
    monkeypatch.setattr(module._Worker, "stack", stack)
    monkeypatch.setattr(module._Worker, "rig", rig, raising=False)
    plain = Evaluation(stack.config, open_painted_rig, "lift", 2)
    filmed = dataclasses.replace(plain, films=tmp_path, film_all=everything)
    results = {}
    for evaluation in (plain, filmed):
        for seed in evaluation.seeds:
            monkeypatch.setattr(module._Worker, "evaluation", evaluation, raising=False)
            monkeypatch.setattr(rig, "succeeded", lambda s=seed: s % 2 == 1)
            monkeypatch.setattr(type(rig), "time_limits_s", lambda *_: (0.5,))
            result = dataclasses.replace(module._run_seed(seed), latency_s={})
            assert results.setdefault(seed, result) == result
    films = sorted(path.name for path in tmp_path.iterdir())
    expected = ["lift_1000000_time_limit.mp4", "lift_1000001_success.mp4"]
    assert films == (expected if everything else expected[:1])


def test_that_the_disturbance_is_told_from_its_time_on(stack):
    result = run_episode(stack, PaintedRig(), [Goal("lift both hands")], "lift", 3)
    moved = Disturbed("object_moved", True, 0.62, "cube", "")
    result = dataclasses.replace(result, disturbed=moved)
    assert _disturbed(result, 0.6) == ""
    assert _disturbed(result, 0.8) == "object_moved at 0.6 s: cube"
    held = dataclasses.replace(moved, applied=False, what="", reason="held")
    told = _disturbed(dataclasses.replace(result, disturbed=held), 0.8)
    assert told == "object_moved at 0.6 s: not applied, held"
    assert _disturbed(dataclasses.replace(result, disturbed=Disturbed("object_moved")), 9.0) == ""

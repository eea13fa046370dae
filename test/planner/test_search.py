"""Laws of the search around a proposal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from wm_planner.planner.search import MotionSearch, SearchSettings, bend
from wm_planner.types import HandPoses

STEPS = 12


@pytest.fixture
def targets() -> HandPoses:
    generator = np.random.default_rng(0)
    rotation = Rotation.random(STEPS * 2, random_state=1).as_matrix().reshape(STEPS, 2, 3, 3)
    return HandPoses(
        generator.normal(size=(STEPS, 2, 3)), rotation, generator.uniform(0.02, 0.08, (STEPS, 2))
    )


@pytest.mark.parametrize("search", ["cem", "mppi"])
def test_it_finds_the_peak_of_a_score(search):
    settings = SearchSettings(search=search)
    peak = MotionSearch(settings).spread * np.array([0.8, -0.5, 1.0, 0.6, -0.9, 0.3, 0.5])
    scale = MotionSearch(settings).spread
    generator, found = np.random.default_rng(0), MotionSearch(settings)

    def score(offsets):
        return -np.square((offsets - peak) / scale).mean(axis=(1, 2, 3))

    begin = score(found.mean[None])[0]
    for _ in range(20):
        drawn = found.ask(256, generator)
        found.tell(drawn, score(drawn))
    assert score(found.mean[None])[0] > 0.25 * begin  # scores are negative: a quarter is better


@pytest.mark.parametrize("search", ["cem", "mppi"])
def test_the_proposal_the_mean_and_the_best_are_always_among_the_motions(search):
    found = MotionSearch(SearchSettings(search=search))
    generator = np.random.default_rng(0)
    drawn = found.ask(16, generator)
    found.tell(drawn, drawn[:, -1, 0, 0])
    assert found.mean[-1, 0, 0] > 0
    drawn = found.ask(16, generator)
    assert not drawn[0].any()
    np.testing.assert_array_equal(drawn[1], found.mean)
    np.testing.assert_array_equal(drawn[2], found.best)


@pytest.mark.parametrize("search", ["cem", "mppi"])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_a_batch_is_never_lost_to_the_next(search, seed):
    found, generator = MotionSearch(SearchSettings(search=search)), np.random.default_rng(seed)
    scale = found.spread
    target, reached = generator.normal(size=scale.shape) * scale, -np.inf
    for _ in range(8):
        drawn = found.ask(6, generator)
        scores = -np.abs((drawn - target) / scale).max(axis=(1, 2, 3))
        assert scores.max() >= reached
        reached = scores.max()
        found.tell(drawn, scores)


@pytest.mark.parametrize("search", ["cem", "mppi"])
def test_what_was_rejected_does_not_count(search):
    one, other = (MotionSearch(SearchSettings(search=search)) for _ in range(2))
    drawn = one.ask(16, np.random.default_rng(0))
    scores = drawn[:, 0, 0, 0].copy()
    scores[::2] = np.nan
    one.tell(drawn, scores)
    other.tell(drawn[1::2], scores[1::2])
    np.testing.assert_array_equal(one.mean, other.mean)
    before = one.mean
    one.tell(drawn, np.full(16, np.nan))
    np.testing.assert_array_equal(one.mean, before)


def test_no_offset_is_the_motion_itself(targets):
    bent = bend(targets, np.zeros((3, 4, 2, 7)))
    for got, expected in zip(
        (bent.position, bent.rotation, bent.width),
        (targets.position, targets.rotation, targets.width),
        strict=True,
    ):
        np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), atol=1e-12)


def test_the_last_offset_is_met_at_the_last_step(targets):
    offsets = np.random.default_rng(1).normal(0, 0.02, (5, 3, 2, 7))
    bent = bend(targets, offsets)
    np.testing.assert_allclose(
        bent.position[:, -1], targets.position[-1] + offsets[:, -1, :, :3], atol=1e-12
    )
    turned = np.swapaxes(targets.rotation[-1], -1, -2) @ bent.rotation[:, -1]
    vectors = Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_rotvec()
    np.testing.assert_allclose(vectors.reshape(5, 2, 3), offsets[:, -1, :, 3:6], atol=1e-9)


def test_hands_leave_where_they_are_gently_and_never_close_below_zero(targets):
    offsets = np.full((1, 3, 2, 7), -0.1)
    bent = bend(targets, offsets)
    moved = np.abs(bent.position - targets.position).max(axis=(0, 2, 3))
    assert moved[0] < 0.05
    assert (bent.width >= 0).all()

"""Anchoring: a misreading that never changes cancels, by shares along the shortest way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from wm_planner import actions
from wm_planner.inverse_dynamics.anchoring import anchor_targets, anchored_variance
from wm_planner.inverse_dynamics.chain_variance import chain_variance
from wm_planner.types import HandPoses


def random_poses(generator, *lead) -> HandPoses:
    return actions.unpack(generator.uniform(-1, 1, (*lead, 20)))


def misread(poses: HandPoses, shift: np.ndarray, turn: np.ndarray, wider: np.ndarray) -> HandPoses:
    """Poses as a model would read them that is off by the same everywhere, in the base frame."""
    return HandPoses(poses.position + shift, turn @ poses.rotation, poses.width + wider)


@pytest.fixture
def error(generator):
    turn = Rotation.from_rotvec([[0.0, 0.3, -0.2], [1.5, 0.0, 0.4]]).as_matrix()
    return generator.normal(size=(2, 3)), turn, generator.normal(size=2)


def angle(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    relative = np.swapaxes(one, -1, -2) @ other
    return Rotation.from_matrix(relative.reshape(-1, 3, 3)).magnitude()


def test_that_a_misreading_which_never_changes_cancels_at_share_one(generator, error):
    true, measured = random_poses(generator, 3, 5), random_poses(generator)
    read = misread(actions.unpack(np.tile(actions.pack(measured), (3, 1))), *error)
    anchored = anchor_targets(misread(true, *error), read, measured, 1.0, 1.0)
    np.testing.assert_allclose(actions.pack(anchored), actions.pack(true), atol=1e-12)


@pytest.mark.parametrize("share, width_share", [(0.0, 1.0), (0.25, 0.0), (0.6, 0.6), (1.0, 0.3)])
def test_that_a_share_leaves_the_rest_along_the_shortest_way(generator, error, share, width_share):
    true, measured = random_poses(generator, 1, 4), random_poses(generator)
    read = misread(actions.unpack(actions.pack(measured)[None]), *error)
    anchored = anchor_targets(misread(true, *error), read, measured, share, width_share)
    shift, turn, wider = error
    left = anchored.position - true.position
    np.testing.assert_allclose(left, np.broadcast_to((1 - share) * shift, left.shape), atol=1e-12)
    left = anchored.width - true.width
    rest = np.broadcast_to((1 - width_share) * wider, left.shape)
    np.testing.assert_allclose(left, rest, atol=1e-12)
    whole = np.tile(Rotation.from_matrix(turn).magnitude(), 4)
    np.testing.assert_allclose(
        angle(true.rotation, anchored.rotation), (1 - share) * whole, atol=1e-7
    )


def test_that_steps_between_targets_stay_as_they_were_read(generator, error):
    """Only where a dream is moves, not what it shows the hands doing."""
    targets, measured = random_poses(generator, 2, 5), random_poses(generator)
    read = random_poses(generator, 2)
    anchored = anchor_targets(targets, read, measured, 0.7, 0.7)
    steps, before = (actions.difference(measured, poses)[:, 1:] for poses in (anchored, targets))
    arms = np.delete(np.arange(20), [9, 19])  # widths are absolute
    np.testing.assert_allclose(steps[..., arms], before[..., arms], atol=1e-12)


def test_that_a_pose_that_could_not_be_read_spoils_its_own_dream_alone(generator):
    targets, measured = random_poses(generator, 2, 3), random_poses(generator)
    packed = actions.pack(random_poses(generator, 2))
    packed[1] = np.nan
    anchored = actions.pack(anchor_targets(targets, actions.unpack(packed), measured, 0.5, 0.5))
    assert np.isfinite(anchored[0]).all() and np.isnan(anchored[1]).all()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.9])
def test_that_stated_variances_are_those_of_what_is_left(generator, share, correlation):
    covariance = 0.04 * np.array([[1, correlation], [correlation, 1]])
    first, later = generator.multivariate_normal([0, 0], covariance, 200_000).T
    stated = anchored_variance(np.array(0.04), np.array(correlation), share)
    assert stated == pytest.approx((later - share * first).var(), rel=0.02)


def test_that_a_chain_anchored_fully_begins_as_surely_as_it_goes_on(generator):
    """The measured pose then stands where the observed frame was read, a frame like the others."""
    targets, start = random_poses(generator, 2, 4), random_poses(generator)
    variance, correlation = np.full((2, 4, 20), 0.01), np.full(20, 0.75)
    correlation[[9, 19]] = 0.2
    plain, half, full = (
        chain_variance(start, targets, variance, correlation, *shares)
        for shares in ((0.0, 0.0), (0.5, 0.0), (1.0, 1.0))
    )
    position, width = [0, 1, 2, 10, 11, 12], [9, 19]
    np.testing.assert_allclose(plain[:, 0, position], 0.01)
    np.testing.assert_allclose(half[:, 0, position], 0.01 * (1 + 0.25 - 0.75))
    np.testing.assert_allclose(full[:, 0, position], full[:, 1, position])
    np.testing.assert_array_equal(half[..., width], plain[..., width])
    np.testing.assert_allclose(full[..., width], 2 * 0.01 * (1 - 0.2))
    np.testing.assert_array_equal(
        np.delete(full[:, 1:], width, 2), np.delete(plain[:, 1:], width, 2)
    )

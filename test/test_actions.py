"""Laws of the 20-D action: round trips, the rigid group, mirror symmetry, averages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transforms3d.axangles import axangle2mat
from transforms3d.quaternions import mat2quat, quat2mat

from wm_planner import actions
from wm_planner.errors import ShapeError
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import HandPoses

seeds = st.integers(0, 2**32 - 1)
laws = settings(max_examples=25, deadline=None)
ROBOT = RobotModel(find_rig("simulated_bimanual"))


def random_poses(generator: np.random.Generator, *lead: int) -> HandPoses:
    quaternions = generator.normal(size=(*lead, 2, 4))
    flat = quaternions.reshape(-1, 4) / np.linalg.norm(quaternions.reshape(-1, 4), axis=1)[:, None]
    rotation = np.array([quat2mat(q) for q in flat]).reshape(*lead, 2, 3, 3)
    width = generator.uniform(0.0, 0.09, (*lead, 2))
    return HandPoses(generator.normal(size=(*lead, 2, 3)), rotation, width)


def assert_same(a: HandPoses, b: HandPoses, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(a.position, b.position, atol=tolerance)
    np.testing.assert_allclose(a.rotation, b.rotation, atol=tolerance)
    np.testing.assert_allclose(a.width, b.width, atol=tolerance)


@laws
@given(seeds)
def test_that_decode_undoes_encode(seed):
    generator = np.random.default_rng(seed)
    start, target = random_poses(generator, 3), random_poses(generator, 3)
    assert_same(actions.decode(start, actions.encode(start, target)), target)


@laws
@given(seeds)
def test_that_encode_undoes_decode(seed):
    generator = np.random.default_rng(seed)
    start = random_poses(generator, 4)
    action = actions.encode(random_poses(generator, 4), random_poses(generator, 4))
    np.testing.assert_allclose(
        actions.encode(start, actions.decode(start, action)), action, atol=1e-9
    )


@laws
@given(seeds, st.integers(1, 6))
def test_that_integrate_and_difference_are_inverse(seed, horizon):
    generator = np.random.default_rng(seed)
    start, targets = random_poses(generator, 2), random_poses(generator, 2, horizon)
    chain = actions.difference(start, targets)
    assert chain.shape == (2, horizon, 20)
    assert_same(actions.integrate(start, chain), targets)
    np.testing.assert_allclose(
        actions.difference(start, actions.integrate(start, chain)), chain, atol=1e-9
    )


@laws
@given(seeds)
def test_that_one_start_serves_many_candidates(seed):
    generator = np.random.default_rng(seed)
    start, targets = random_poses(generator), random_poses(generator, 5, 3)
    together = actions.difference(start, targets)
    alone = [actions.difference(start, targets[k]) for k in range(5)]
    np.testing.assert_allclose(together, alone, atol=1e-12)
    assert_same(actions.integrate(start, together), targets)


@laws
@given(seeds)
def test_that_integrate_is_repeated_decode(seed):
    generator = np.random.default_rng(seed)
    start = random_poses(generator)
    chain = actions.difference(start, random_poses(generator, 4))
    current = start
    for k in range(4):
        current = actions.decode(current, chain[k])
    assert_same(actions.integrate(start, chain)[-1], current)


@laws
@given(seeds)
def test_group_axioms(seed):
    """Composition is associative, identity is neutral, and every action can be undone."""
    generator = np.random.default_rng(seed)
    start = random_poses(generator)
    a, b, c = actions.difference(start, random_poses(generator, 3))

    def compose(*chain: np.ndarray) -> np.ndarray:
        return actions.encode(start, actions.integrate(start, np.array(chain))[-1])

    np.testing.assert_allclose(compose(compose(a, b), c), compose(a, compose(b, c)), atol=1e-9)
    neutral = actions.identity(actions.decode(start, a).width)
    np.testing.assert_allclose(compose(a, neutral), a, atol=1e-9)
    np.testing.assert_allclose(compose(neutral, a), a, atol=1e-9)
    undo = actions.encode(actions.decode(start, a), start)
    assert_same(actions.integrate(start, np.array([a, undo]))[-1], start)


@laws
@given(seeds)
def test_that_a_shift_of_the_base_frame_changes_no_action(seed):
    generator = np.random.default_rng(seed)
    start, target = random_poses(generator), random_poses(generator)
    shift = generator.normal(size=3)
    moved = [HandPoses(p.position + shift, p.rotation, p.width) for p in (start, target)]
    np.testing.assert_allclose(actions.encode(*moved), actions.encode(start, target), atol=1e-9)


@laws
@given(seeds)
def test_rotations_against_transforms3d(seed):
    """The relative rotation is the quaternion product conj(start) * target, by another library."""
    generator = np.random.default_rng(seed)
    axis, angle = generator.normal(size=3), generator.uniform(-3, 3)
    turn = axangle2mat(axis, angle)
    start = random_poses(generator)
    target = HandPoses(start.position, start.rotation @ turn, start.width)
    action = actions.encode(start, target)
    for hand in actions.HAND_SLICES.values():
        columns = action[hand][actions.ROTATION]
        np.testing.assert_allclose(columns, np.concatenate([turn[:, 0], turn[:, 1]]), atol=1e-9)
        turned = actions.orthonormalise(columns)
        assert abs(mat2quat(turned) @ mat2quat(turn)) == pytest.approx(1.0, abs=1e-9)


@laws
@given(seeds)
def test_mirror_symmetry(seed):
    generator = np.random.default_rng(seed)
    start, target = random_poses(generator, 2), random_poses(generator, 2)
    action = actions.encode(start, target)
    np.testing.assert_allclose(actions.mirror(actions.mirror(action)), action, atol=1e-9)
    mirrored = actions.encode(actions.mirror_poses(start), actions.mirror_poses(target))
    np.testing.assert_allclose(actions.mirror(action), mirrored, atol=1e-9)
    left, right = actions.HAND_SLICES["left"], actions.HAND_SLICES["right"]
    assert np.array_equal(actions.mirror(action)[..., left][..., 9], action[..., right][..., 9])
    assert np.linalg.det(actions.mirror_poses(start).rotation) == pytest.approx(1.0)


@laws
@given(seeds)
def test_that_the_simulated_arms_mirror_each_other(seed):
    """Joints that turn about or lie along the mirrored axis change sign, and the arms swap."""
    joints = np.random.default_rng(seed).uniform(-1, 1, 12)
    sign = np.array([-1, 1, 1, -1, 1, -1])
    mirrored = (joints.reshape(2, 6)[::-1] * sign).reshape(12)
    width = np.array([0.01, 0.05])
    poses = actions.mirror_poses(ROBOT.hand_poses(joints, width))
    assert_same(ROBOT.hand_poses(mirrored, width[::-1]), poses)


@laws
@given(seeds)
def test_that_average_is_a_rotation_and_keeps_equal_actions(seed):
    generator = np.random.default_rng(seed)
    start = random_poses(generator, 3)
    chain = actions.encode(start, random_poses(generator, 3))
    same = np.repeat(chain[None], 4, axis=0)
    weights = generator.uniform(0.1, 2.0, (4, 3))
    np.testing.assert_allclose(actions.average(same, weights), chain, atol=1e-9)
    noisy = same + generator.normal(scale=0.05, size=same.shape)
    mean = actions.average(noisy, weights)
    rotation = actions.unpack(mean).rotation
    eye = np.broadcast_to(np.eye(3), rotation.shape)
    np.testing.assert_allclose(np.swapaxes(rotation, -1, -2) @ rotation, eye, atol=1e-9)
    np.testing.assert_allclose(
        mean[..., :3], np.average(noisy[..., :3], axis=0, weights=weights[..., None].repeat(3, -1))
    )


def test_that_average_weights_per_component():
    generator = np.random.default_rng(0)
    poses = actions.pack(random_poses(generator, 2))
    weights = np.ones((2, 20))
    weights[1, 0], weights[0, 9] = 0.0, 0.0
    mean = actions.average(poses, weights)
    assert mean[0] == pytest.approx(poses[0, 0])
    assert mean[9] == pytest.approx(poses[1, 9])
    assert mean[1] == pytest.approx(poses[:, 1].mean())


@laws
@given(seeds)
def test_that_unpack_undoes_pack(seed):
    poses = random_poses(np.random.default_rng(seed), 2, 3)
    assert_same(actions.unpack(actions.pack(poses)), poses)


def test_layout_by_hand():
    """One action written out, so that the layout itself cannot drift."""
    quarter = axangle2mat([0, 0, 1], np.pi / 2)
    start = HandPoses(np.zeros((2, 3)), np.stack([quarter, np.eye(3)]), np.zeros(2))
    target = HandPoses(
        np.array([[1.0, 2, 3], [4, 5, 6]]), np.stack([quarter, quarter]), np.array([0.01, 0.02])
    )
    expected = [1, 2, 3, 1, 0, 0, 0, 1, 0, 0.01, 4, 5, 6, 0, 1, 0, -1, 0, 0, 0.02]
    np.testing.assert_allclose(actions.encode(start, target), expected, atol=1e-12)


def test_that_what_spans_no_plane_decodes_to_nan():
    start = random_poses(np.random.default_rng(1))
    action = actions.identity(np.zeros(2))
    action[6:9] = action[3:6]
    decoded = actions.decode(start, action)
    assert np.isnan(decoded.rotation[0]).all()
    assert np.isfinite(decoded.rotation[1]).all()
    assert np.isnan(actions.decode(start, np.zeros(20)).rotation).all()


@pytest.mark.parametrize("size", [19, 21])
def test_that_another_size_is_refused(size):
    with pytest.raises(ShapeError, match=rf"\({size},\), expected \(\.\.\., 20\)"):
        actions.unpack(np.zeros(size))

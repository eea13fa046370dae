"""Collisions on the way: nothing passes through anything, however fast."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from wm_planner.robot.robot_model import RobotModel
from wm_planner.robot.swept_collisions import FINEST

WIDTH = 0.08
DENSE = 400


def on_the_way(robot: RobotModel, path: np.ndarray, clearance: float = 0.01):
    """The report on paths (K, H + 1, D) with the same clearance within and between the arms."""
    width = np.full((*path.shape[:2], 2), WIDTH)
    return robot.collisions_on_the_way(path, width, clearance, clearance)


def densely(robot: RobotModel, path: np.ndarray) -> np.ndarray:
    """Smallest distances (2, K H) within and between the arms at very many postures on the way."""
    share = np.arange(DENSE + 1)[:, None] / DENSE
    start, end = path[:, :-1, None], path[:, 1:, None]
    postures = (start + share * (end - start)).reshape(-1, path.shape[-1])
    report = robot.collisions(postures, np.full((len(postures), 2), WIDTH))
    both = np.stack([report.self_distance, report.inter_arm_distance])
    return both.reshape(2, -1, DENSE + 1).min(axis=-1)


@pytest.fixture
def paths(each_robot: RobotModel, generator) -> np.ndarray:
    """Motions of up to 1 rad or m a step, some of which touch, (6, 3, D)."""
    home = each_robot.rig.home
    return home + 0.5 * generator.normal(size=(6, 3, len(home)))


def test_no_way_that_comes_too_near_is_missed(each_robot: RobotModel, paths) -> None:
    clearance = 0.01
    report = on_the_way(each_robot, paths, clearance)
    truth = densely(each_robot, paths)
    found = np.stack([report.self_distance, report.inter_arm_distance])
    slack = FINEST / 2  # what is between two tested postures is at most so much nearer
    assert (found[truth < clearance - slack] < clearance).all()
    assert (truth[found < clearance] < clearance + slack).all()
    assert (found >= truth - slack).all()
    assert (truth < clearance).any() == (each_robot.rig.name == "simulated_bimanual")


def test_a_sweep_through_the_other_arm_is_seen_though_both_ends_are_far_from_it(robot) -> None:
    before, after = robot.rig.home.copy(), robot.rig.home.copy()
    before[[0, 6]], after[[0, 6]] = (-0.4, 1.1), (-1.1, 0.6)
    path = np.stack([before, after])[None]
    ends = robot.collisions(path[0], np.full((2, 2), WIDTH)).inter_arm_distance
    report = on_the_way(robot, path, 0.0)
    assert ends.min() > 0.02
    assert report.inter_arm_distance[0] < 0.0
    assert "left_" in report.inter_arm_pair[0]
    assert "right_" in report.inter_arm_pair[0]


def test_more_clearance_finds_no_less(robot: RobotModel, generator) -> None:
    paths = robot.rig.home + 0.4 * generator.normal(size=(6, 3, 12))
    near = [
        on_the_way(robot, paths, clearance).inter_arm_distance < clearance
        for clearance in (0.0, 0.01, 0.05, 0.2)
    ]
    for loose, tight in pairwise(near):
        assert not (loose & ~tight).any()
    assert near[-1].sum() > near[0].sum()


def test_backwards_is_as_near_as_forwards(robot: RobotModel, generator) -> None:
    paths = robot.rig.home + 0.4 * generator.normal(size=(8, 2, 12))
    there, back = on_the_way(robot, paths), on_the_way(robot, paths[:, ::-1])
    np.testing.assert_allclose(there.inter_arm_distance, back.inter_arm_distance, atol=1e-9)
    np.testing.assert_allclose(there.self_distance, back.self_distance, atol=1e-9)


def test_the_bound_on_motion_holds_for_every_pair(each_robot: RobotModel, generator) -> None:
    home = each_robot.rig.home
    start = home + 0.5 * generator.normal(size=(30, len(home)))
    end = start + 0.3 * generator.normal(size=start.shape)
    model = each_robot._collisions
    full = [each_robot._full(q, np.full((30, 2), WIDTH)) for q in (start, end)]
    for links in (model._within, model._between):
        if links.names:
            change = np.abs(links.distances(full[1]) - links.distances(full[0]))
            assert (change <= np.abs(full[1] - full[0]) @ links.reach.T + 1e-6).all()


def test_a_way_with_an_end_that_is_not_finite_measures_nan(robot: RobotModel) -> None:
    path = np.tile(robot.rig.home, (2, 4, 1))
    path[1, 2, 7] = np.nan
    distance = on_the_way(robot, path).distance.reshape(2, 3)
    assert np.isnan(distance).tolist() == [[False] * 3, [False, True, True]]

"""Near misses: the cube is moved away, and the hand goes to where it was."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.rigs.collection import KINDS, SPECIAL_KINDS, record_episode
from wm_planner.rigs.near_misses import MISS_M

SEEDS = range(900_030, 900_034)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_hand_ends_up_beside_a_cube_that_was_moved(rig, robot, seed):
    episode = record_episode(rig, robot, "towel_fold", seed, "near_miss")  # whatever the task
    assert episode["kind"] == "near_miss" and episode["task"] == "pick_lift"
    assert not episode["success"] and episode["instruction"]
    good = episode["step_good"]
    moved = int(np.argmin(good))
    assert good[:moved].all() and not good[moved:-1].any()
    cube = episode["object_position"][:, episode["object_names"].index("cube")]
    jump = np.linalg.norm(np.diff(cube, axis=0), axis=1)
    assert MISS_M[0] <= jump[moved - 1] <= MISS_M[1] + 1e-6
    assert jump[: moved - 1].max() < 1e-3  # nothing moved before
    hands = episode["hand_pose"].reshape(-1, 2, 10)[..., :3]
    nearest = np.linalg.norm(hands - cube[:, None], axis=-1).min(axis=1)[moved:]
    assert 0.03 < nearest.min() < 0.08  # beside it, not around it
    assert cube[-1, 2] < 0.06  # and it stays on the table


def test_the_same_seed_gives_the_same_near_miss(rig, robot):
    first, again = (record_episode(rig, robot, "reach", SEEDS[0], "near_miss") for _ in range(2))
    np.testing.assert_array_equal(first["image"], again["image"])


def test_near_misses_are_recorded_only_when_named():
    assert not set(SPECIAL_KINDS) & set(KINDS)

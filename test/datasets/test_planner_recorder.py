"""The planner acts, the expert takes over: what is written down of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from wm_planner import actions
from wm_planner.assembly import assemble, load_config
from wm_planner.bundle import WORLD_MODEL
from wm_planner.datasets.collection import CollectionPlan, collect
from wm_planner.datasets.episode import Episode
from wm_planner.datasets.planner_recorder import (
    _Watched,
    open_planner_recorder,
    record_planner_episode,
)
from wm_planner.datasets.simulated_recorder import camera_and_objects
from wm_planner.errors import ConfigurationError
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.rigs.performance import EpisodeOver


@pytest.fixture(scope="module")
def record():
    return open_planner_recorder(load_config())


@pytest.mark.slow
def test_the_expert_finishes_what_the_planner_began():
    stack = assemble(load_config(), untrained=(WORLD_MODEL,))  # in trouble for certain
    rig = MujocoRig(description=stack.rig_description)
    fields = record_planner_episode(stack, rig, "pick_lift", 905_101)
    episode = Episode.from_mapping(camera_and_objects(fields))
    good = episode.step_good
    assert episode.kind == "planner" and episode.success and good[-1]
    assert not good[0] and (np.diff(good.astype(int)) >= 0).all()  # planner, then expert
    # What was commanded at one frame is about where the hands are at the next.
    target, pose = (actions.unpack(x) for x in (episode.hand_target, episode.hand_pose))
    late = np.linalg.norm(pose.position[1:] - target.position[:-1], axis=-1)
    assert np.median(late) < 0.01 and late.max() < 0.08
    again = actions.decode(pose, episode.action)
    np.testing.assert_allclose(again.position, target.position, atol=1e-5)


@pytest.mark.slow
def test_an_expert_that_begins_afresh_goes_home_first(monkeypatch):
    stack = assemble(load_config(), untrained=(WORLD_MODEL,))
    rig = MujocoRig(description=stack.rig_description)
    away = []  # of every frame of the expert's, the joint that is farthest from home
    for share in (0.0, 1.0):
        monkeypatch.setattr("wm_planner.datasets.planner_recorder.AFRESH_SHARE", share)
        episode = record_planner_episode(stack, rig, "towel_fold", 905_104)
        assert episode["success"]
        joints = episode["joint_position"][episode["step_good"]]
        away.append(np.abs(joints - stack.rig_description.home).max(axis=1))
    assert away[0].min() > 0.1 > away[1][3:10].min()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_episode(record):
    first, second = (Episode.from_mapping(record("reach", 905_002, "planner")) for _ in range(2))
    np.testing.assert_array_equal(first.images["head"], second.images["head"])
    np.testing.assert_array_equal(first.action, second.action)


@pytest.mark.parametrize("startled, taken_over", [(3, 6), (6, 9), (None, None)])
def test_whoever_is_startled_hands_over_soon_after_something_was_disturbed(startled, taken_over):
    spec = SimpleNamespace(image_size=(96, 128), camera="head")
    stack = SimpleNamespace(robot=None, world_model=SimpleNamespace(spec=spec))
    rig = SimpleNamespace(disturbed=SimpleNamespace(applied=False))
    watched = _Watched(stack, rig, patience=2, startled=startled)
    over = None
    for frame in range(12):
        rig.disturbed.applied = frame >= 3
        rig.way_left = lambda left=1.0 - 0.05 * frame: left  # all goes well
        try:
            watched._judge()
        except EpisodeOver:
            over = frame
            break
    assert over == taken_over


@pytest.mark.slow
def test_what_is_moved_is_moved_once_and_found_again():
    moved = Disturbance.parse("object_moved=0.06")
    record = open_planner_recorder(load_config(), (moved,))
    episode = Episode.from_mapping(record("pick_lift", 905_006, "planner"))
    cube = episode.object_position[:, episode.object_names.index("cube"), :2]
    lifted = episode.object_position[:, episode.object_names.index("cube"), 2] > 0.04
    jump = np.linalg.norm(np.diff(cube[: lifted.argmax()], axis=0), axis=-1)
    assert 0.03 <= jump.max() <= 0.09
    assert (np.sort(jump)[:-1] < 0.02).all()  # once
    assert episode.success


def test_a_dataset_of_another_policy_is_not_extended(tmp_path):
    plan = {"episodes": 1, "seed": 0, "tasks": {"reach": 1.0}, "kinds": {"planner": 1.0}}
    (tmp_path / "collection.json").write_text(
        '{"episodes": 1, "seed": 0, "tasks": {"reach": 1.0}, "kinds": {"planner": 1.0}, '
        '"fps": 5, "robot_type": "simulated_bimanual", "shard_size": 50}'
    )
    with pytest.raises(ConfigurationError, match="policy expert, not planner ab12"):
        collect(tmp_path, CollectionPlan(**plan, policy="planner ab12"), lambda: None)


@pytest.mark.slow
def test_what_a_planner_did_well_is_good_but_for_the_step_that_was_disturbed(monkeypatch):
    monkeypatch.setattr("wm_planner.datasets.planner_recorder.STARTLED_SHARE", 0.0)
    record = open_planner_recorder(load_config(), (Disturbance.parse("object_moved"),))
    episode = Episode.from_mapping(record("reach", 905_103, "planner"))
    moved = episode.object_position[:, episode.object_names.index("left_marker"), :2]
    at = np.linalg.norm(np.diff(moved, axis=0), axis=-1).argmax()
    assert episode.success and np.flatnonzero(~episode.step_good).tolist() == [at]

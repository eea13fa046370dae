"""Other light, colours, cameras and clutter: seen, harmless to the task, gone after a reset."""

from __future__ import annotations

import numpy as np

from wm_planner.rigs.appearance import CLEARANCE, USUAL_CLEARANCE, vary_appearance
from wm_planner.rigs.collection import record_episode
from wm_planner.rigs.simulated_scene import DISTRACTORS


def test_a_varied_scene_looks_different_until_the_next_reset(rig):
    rig.reset("pick_lift", 900_000)
    plain, joints = rig.render("head"), rig.joint_state()
    vary_appearance(rig, np.random.default_rng(0))
    varied = rig.render("head")
    assert np.abs(varied.astype(int) - plain).mean() > 5
    for before, after in zip(joints, rig.joint_state(), strict=True):
        np.testing.assert_array_equal(before, after)
    rig.reset("pick_lift", 900_000)
    np.testing.assert_array_equal(rig.render("head"), plain)


def test_each_variation_is_another_one(rig):
    rig.reset("reach", 900_000)
    views = []
    for seed in range(4):
        vary_appearance(rig, np.random.default_rng(seed))
        views.append(rig.render("head").astype(int))
    for i, view in enumerate(views):
        assert all(np.abs(view - other).mean() > 3 for other in views[:i])


def test_distractors_stand_clear_of_what_the_task_needs(rig):
    shown = 0
    for seed in range(20):
        rig.reset("tray_lift", 900_000 + seed)
        vary_appearance(rig, np.random.default_rng(seed))
        places = [rig.object_position(name) for name in DISTRACTORS]
        places = [place for place in places if place[1] < 1]  # the others are parked
        shown += len(places)
        for name in rig.tracked:
            clear = CLEARANCE.get(name, USUAL_CLEARANCE)
            for place in places:
                assert np.linalg.norm((rig.object_position(name) - place)[:2]) > clear
    assert 10 < shown < 60


def test_stills_that_are_not_varied_look_as_built(rig, robot):
    plain, some = (
        record_episode(rig, robot, "reach", 900_003, "stills", variation=p)["image"].astype(int)
        for p in (0.0, 0.5)
    )
    difference = np.abs(some - plain).mean((1, 2, 3))
    varied = difference > 2
    assert 10 < varied.sum() < 30
    assert (difference[~varied] == 0).all()


def test_a_towel_scene_varies_without_distractors(rig):
    rig.reset("towel_fold", 900_000)
    plain = rig.render("head").astype(int)
    vary_appearance(rig, np.random.default_rng(1))
    assert np.abs(rig.render("head") - plain).mean() > 5


def test_experts_succeed_however_the_scene_looks(rig, robot):
    done = [
        record_episode(rig, robot, task, seed, "expert", variation=1.0)["success"]
        for task in ("reach", "pick_lift", "tray_lift")
        for seed in (900_001, 900_002)
    ]
    assert sum(done) >= 5

"""The scripted experts do their tasks by physics; idle hands do not; seeds fix the scene."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner import actions
from wm_planner.rigs.collection import record_episode
from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.rigs.tasks import TASKS
from wm_planner.rigs.tasks.handover import Handover

RIGID = [name for name in TASKS if TASKS[name].scene == "tabletop"]


@pytest.mark.parametrize("task", RIGID)
def test_expert_succeeds_and_records_what_hardware_would_see(rig, robot, task):
    episode = record_episode(rig, robot, task, seed=900_003, kind="expert")
    assert episode["success"]
    assert episode["instruction"] in TASKS[task].instructions
    count = len(episode["image"])
    assert episode["image"].shape == (count, 96, 128, 3)
    assert episode["step_good"].all()
    target = actions.unpack(episode["hand_target"])
    again = actions.decode(actions.unpack(episode["hand_pose"]), episode["action"])
    np.testing.assert_allclose(again.position, target.position, atol=1e-9)
    # The hands follow: where they were told to be is about where they are one frame later.
    late = actions.unpack(episode["hand_pose"][1:]).position - target.position[:-1]
    assert np.median(np.linalg.norm(late, axis=-1)) < 0.02


@pytest.mark.parametrize("task", RIGID)
def test_doing_nothing_does_not_succeed(rig, task):
    rig.reset(task, seed=900_004)
    rig.step(1.0)
    assert not rig.succeeded()


@pytest.mark.parametrize("mistake", ["misgrasp", "drop", "shift"])
def test_expert_mends_its_mistakes(rig, robot, mistake):
    rig.reset("pick_lift", seed=900_005)
    performance = Performance(rig, robot, np.random.default_rng(1))
    TASKS["pick_lift"].perform(performance, mistake)
    assert rig.succeeded()
    assert performance.step > 20  # longer than doing it right at once
    assert all(performance.record.step_good) == (mistake == "shift")


@pytest.mark.parametrize("mistake", ["misgrasp", "shift", "fumble"])
def test_handover_expert_mends_its_mistakes(rig, robot, mistake):
    rig.reset("handover", seed=900_005)
    performance = Performance(rig, robot, np.random.default_rng(1), max_steps=95)
    TASKS["handover"].perform(performance, mistake)
    assert rig.succeeded()
    assert all(performance.record.step_good) == (mistake == "shift")
    assert performance.record.step_good[-1]


def test_handover_expert_goes_on_where_the_left_hand_has_the_bar(rig, robot):
    task = TASKS["handover"]
    rig.reset("handover", seed=900_006)
    first = Performance(rig, robot, np.random.default_rng(1), max_steps=17)  # it is lifting
    with pytest.raises(EpisodeOver):
        task.perform(first, "")
    assert task.resumable(rig, ["bar"]) and not task.resumable(rig, ["bar", "cube"])
    second = Performance(rig, robot, np.random.default_rng(2))
    second.step = 17
    task.perform(second, "")
    assert rig.succeeded()
    assert second.step - 17 < first.step + 20  # without picking it up again
    assert not task.resumable(rig, ["bar"])  # the right hand has it now


def test_handover_expert_lets_go_of_the_bar_only_where_the_other_hand_has_it(
    rig, robot, monkeypatch
):
    heights, take = [], Handover._take

    def beside_at_first(task, performance, place, good):
        miss = [0.0, 0.05, 0.0] if not heights else np.zeros(3)
        take(task, performance, place + miss, good)
        heights.append(rig.object_position("bar")[2])

    monkeypatch.setattr(Handover, "_take", beside_at_first)
    rig.reset("handover", seed=900_007)
    performance = Performance(rig, robot, np.random.default_rng(1), max_steps=95)
    TASKS["handover"].perform(performance, "")
    assert len(heights) == 2 and min(heights) > 0.15 and rig.succeeded()


def test_reach_expert_mends_a_miss(rig, robot):
    episode = record_episode(rig, robot, "reach", seed=900_005, kind="recovery")
    assert episode["success"] and episode["kind"] == "recovery"
    good = episode["step_good"]
    assert not good[0] and good[-1] and 0 < np.argmax(good) < len(good) - 1


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_marker_shows_how_far_it_is_by_its_foot(rig, side):
    """Two markers on one line of sight look alike but for the foot, which must be seen to move."""
    rig.reset("reach", seed=900_020)
    rig.set_posture(np.tile([-1.5, -1.2, 2.2, 0.0, 0.5, 0.0], 2), np.zeros(2))  # out of view
    eye = np.array([0.0, -0.15, 0.80])  # the head camera
    near = np.array([-0.15 if side == "left" else 0.15, 0.32, 0.18])
    feet = []
    for place in (near, eye + (near - eye) * 1.1):
        rig.place_marker(side, place)
        rig.forward()
        feet.append(rig.data.geom(f"{side}_marker_foot").xpos.copy())
    for foot in feet:
        assert abs(foot[2]) < 1e-9
    assert np.linalg.norm(feet[1] - feet[0]) > 0.03


def test_failure_episode_fails_and_says_so(rig, robot):
    episode = record_episode(rig, robot, "pick_lift", seed=900_006, kind="failure")
    assert not episode["success"]
    assert not episode["step_good"][:-1].any()


def test_same_seed_gives_the_same_episode(rig, robot):
    first, second = (record_episode(rig, robot, "reach", 900_007, "expert") for _ in range(2))
    np.testing.assert_array_equal(first["image"], second["image"])
    np.testing.assert_array_equal(first["action"], second["action"])
    other = record_episode(rig, robot, "reach", 900_008, "expert")
    assert not np.array_equal(first["object_position"][0], other["object_position"][0])


def test_stills_are_unrelated_frames_with_readable_hands(rig, robot):
    episode = record_episode(rig, robot, "reach", 900_009, "stills")
    assert episode["kind"] == "stills" and not episode["step_good"].any()
    jump = np.diff(episode["hand_pose"][:, :3], axis=0)
    assert np.linalg.norm(jump, axis=1).mean() > 0.05
    seen = robot.hand_poses(episode["joint_position"], episode["gripper_width"])
    np.testing.assert_allclose(actions.pack(seen), episode["hand_pose"], atol=1e-6)


def test_objects_are_at_least_eight_pixels_across(rig):
    """On the model's 96x128 image the cube is seen as red pixels."""
    from wm_planner import images

    widths = []
    for seed in range(900_010, 900_022):
        rig.reset("pick_lift", seed)
        image = images.fit(rig.render("head"), 96, 128).astype(int)
        red = (image[..., 0] > 90) & (image[..., 0] > 2.2 * image[..., 1:].max(-1))
        columns = np.flatnonzero(red.any(0))
        if len(columns):
            widths.append(columns.max() - columns.min() + 1)
    assert len(widths) >= 9  # an arm may hide it now and then
    assert np.median(widths) >= 8

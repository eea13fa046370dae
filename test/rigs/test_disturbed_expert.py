"""Something is disturbed, the expert goes on unawares, looks again and mends it."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from wm_planner.rigs import disturbed_expert
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.rigs.disturbed_expert import drawn, record_disturbed_expert
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.robot.robot_model import RobotModel

PUSHED = Disturbance.parse("object_pushed")


@pytest.fixture(scope="module")
def rig():
    return MujocoRig()


@pytest.fixture(scope="module")
def robot(rig):
    return RobotModel(rig.description)


def runs(good):
    return [(bool(value), len(list(group))) for value, group in groupby(good)]


@pytest.mark.parametrize("task, seed", [("reach", 3), ("pick_lift", 9)])
def test_what_was_done_unawares_is_no_good_and_is_mended(rig, robot, task, seed):
    episode = record_disturbed_expert(rig, robot, task, seed, PUSHED)
    (first, before), (second, unawares), (third, mended) = runs(episode["step_good"])
    assert (first, second, third) == (True, False, True) and episode["success"]
    assert before >= 3 and 3 <= unawares <= 20 + 3 + 2 and mended >= 5
    name = {"reach": "left_marker", "pick_lift": "cube"}[task]
    thing = episode["object_position"][:, episode["object_names"].index(name), :2]
    moved = np.linalg.norm(np.diff(thing, axis=0), axis=1)
    assert moved[: before - 1].max() < 1e-3  # nothing before the step that is marked
    assert moved[before : before + 3].sum() > 0.02
    again = record_disturbed_expert(rig, robot, task, seed, PUSHED)
    np.testing.assert_array_equal(again["image"], episode["image"])


def test_unawares_a_towel_is_folded_by_what_was_caught_of_it(rig, robot, monkeypatch):
    monkeypatch.setattr(disturbed_expert, "PROMPT_SHARE", 0.0)
    monkeypatch.setattr(disturbed_expert, "NOTICED_STEPS", (20, 20))
    monkeypatch.setattr(disturbed_expert, "AFRESH_SHARE", 1.0)
    episode = record_disturbed_expert(rig, robot, "towel_fold", 288_005, PUSHED)
    bad = np.flatnonzero(~episode["step_good"])
    low = episode["hand_pose"].reshape(len(episode["step_good"]), 2, 10)[bad[-1], :, 2]
    assert len(bad) >= 20 and (low < 0.12).all()  # both hands have laid something down
    away = np.abs(episode["joint_position"][bad[-1] :] - robot.rig.home).max(axis=1)
    assert away[:14].min() < 0.1 < away[0]  # home first
    assert episode["success"]


def test_who_looks_in_time_turns_to_the_new_place_without_a_mistake(rig, robot, monkeypatch):
    monkeypatch.setattr(disturbed_expert, "PROMPT_SHARE", 1.0)
    monkeypatch.setattr(disturbed_expert, "PROMPT_STEPS", (0, 0))
    episode = record_disturbed_expert(rig, robot, "towel_fold", 310_003, PUSHED)
    good = episode["step_good"]
    (pushed,) = np.flatnonzero(~good)
    target = episode["hand_target"].reshape(len(good), 2, 10)[..., :3]
    assert np.abs(np.diff(target[pushed : pushed + 3], axis=0)).max() < 0.02  # while it slides
    hands = episode["hand_pose"].reshape(len(good), 2, 10)
    closing = pushed + int(np.argmax((hands[pushed:, :, 9] < 0.03).all(axis=1)))
    corners = [episode["object_names"].index(f"towel_{k}") for k in (12, 168)]
    missed = hands[closing, :, :2] - episode["object_position"][closing, corners, :2]
    # straight there, and not up first
    assert hands[pushed:closing, :, 2].max() < hands[pushed, :, 2].max() + 0.02
    assert np.linalg.norm(missed, axis=1).max() < 0.02 and episode["success"]


@pytest.mark.parametrize("task", ["handover", "tray_lift", "pick_lift"])
def test_what_lies_elsewhere_at_once_is_gone_for_at_once(rig, robot, monkeypatch, task):
    monkeypatch.setattr(disturbed_expert, "PROMPT_SHARE", 1.0)
    monkeypatch.setattr(disturbed_expert, "PROMPT_STEPS", (0, 0))
    episode = record_disturbed_expert(rig, robot, task, 360_003, Disturbance("object_moved", 0.05))
    (moved,) = np.flatnonzero(~episode["step_good"])
    hands = episode["hand_pose"].reshape(-1, 2, 10)
    side = int(hands[: moved + 1, :, 2].min(0).argmin())  # the one that reaches
    closing = moved + int(np.argmax(hands[moved:, side, 9] < 0.06))
    # sideways, and not up first
    assert hands[moved:closing, side, 2].max() < hands[moved, side, 2] + 0.03
    assert episode["success"]


@pytest.mark.parametrize("task, clear_m", [("handover", 0.075), ("pick_lift", 0.08)])
def test_who_looks_again_low_does_not_begin_from_high_up(rig, robot, monkeypatch, task, clear_m):
    monkeypatch.setattr(disturbed_expert, "PROMPT_SHARE", 1.0)
    monkeypatch.setattr(disturbed_expert, "PROMPT_STEPS", (5, 5))
    episode = record_disturbed_expert(rig, robot, task, 360_007, Disturbance("object_moved", 0.05))
    mended = int(np.flatnonzero(~episode["step_good"])[-1]) + 1
    hands = episode["hand_pose"].reshape(-1, 2, 10)
    side = int(hands[mended, :, 2].argmin())
    assert hands[mended, side, 2] < clear_m
    thing = episode["object_names"].index({"handover": "bar", "pick_lift": "cube"}[task])
    lifted = int(np.argmax(episode["object_position"][:, thing, 2] > 0.05))
    before = hands[mended : lifted - 3, side, 2]
    assert before.max() < clear_m + 0.025 and episode["success"]


@pytest.mark.parametrize("task, steps", [("handover", 4), ("tray_lift", 7), ("pick_lift", 4)])
def test_who_looks_again_with_a_thing_between_the_fingers_does_not_open_them(
    rig, robot, monkeypatch, task, steps
):
    monkeypatch.setattr(disturbed_expert, "PROMPT_SHARE", 1.0)
    monkeypatch.setattr(disturbed_expert, "PROMPT_STEPS", (steps, steps))
    nearly_where_it_was = Disturbance("object_moved", 0.006)
    episode = record_disturbed_expert(rig, robot, task, 360_010, nearly_where_it_was)
    looked = int(np.flatnonzero(~episode["step_good"])[-1]) + 1
    thing = episode["object_names"].index(rig.task.objects[0])
    height = episode["object_position"][:, thing, 2]
    lifted = int(np.argmax(height > height[0] + 0.03))
    told = episode["hand_target"].reshape(-1, 2, 10)[looked - 1 : lifted, :, 9]
    side = int(told[0].argmin())
    assert told[0, side] < 0.06  # it is closing
    assert (np.diff(told[:, side]) <= 0).all() and episode["success"]


def test_what_succeeds_all_the_same_was_good(rig, robot):
    nudged = Disturbance("arm_nudged", 1.0)  # too weak to matter
    episode = record_disturbed_expert(rig, robot, "reach", 5, nudged)
    assert episode["success"] and (~episode["step_good"]).sum() <= 1


def test_amounts_are_between_half_and_one_and_a_half():
    amounts = [drawn((PUSHED,), seed).amount for seed in range(200)]
    assert min(amounts) < 0.03 and max(amounts) > 0.07
    assert all(0.025 <= amount <= 0.075 for amount in amounts)

"""Disturbances: as much as stated, the same for the same seed, and nothing before their time."""

from __future__ import annotations

import contextlib
import math

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from wm_planner.errors import ConfigurationError, UnknownNameError
from wm_planner.rigs import towel
from wm_planner.rigs.disturbance import KINDS, Disturbance
from wm_planner.rigs.disturber import Disturber
from wm_planner.rigs.hands import CLOSED
from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.rigs.tasks import TASKS
from wm_planner.rigs.tasks.tabletop import REACHABLE

SEED = 900_000


def perform(rig, robot, task, kind=None, seed=SEED, amount=None):
    """Let the expert act, and return its record, the simulator's states and what came of it."""
    rig.reset(task, seed)
    if kind:
        disturbance = Disturbance.parse(kind if amount is None else f"{kind}={amount}")
        rig.disturb(disturbance, seed)
    performance = Performance(rig, robot, np.random.default_rng(seed), noise_m=0.0, max_steps=80)
    states = []
    step = rig.step

    def watched(seconds):
        states.append(np.concatenate([rig.data.qpos, rig.data.qvel, rig.data.mocap_pos.ravel()]))
        step(seconds)

    rig.step = watched
    try:
        with contextlib.suppress(EpisodeOver):
            rig.task.perform(performance, "")
    finally:
        del rig.step
    return performance.finish(), np.stack(states), rig.disturbed


def shift(rig, task, kind, seed=SEED, amount=None):
    """Disturb at rest, at once, and return how far the task's things went, (N, 3) m."""
    rig.reset(task, seed)
    disturbance = Disturbance.parse(kind if amount is None else f"{kind}={amount}")
    disturber = Disturber(rig, disturbance, seed)
    disturber._begun_m = np.full_like(disturber._begun_m, np.inf)  # due now
    rig.disturber = disturber
    before = places(rig)
    rig.step(0.02)
    at_once = places(rig) - before
    rig.step(0.98)
    return at_once, places(rig) - before, rig.disturbed


def places(rig):
    if rig.task.scene == "towel":
        return towel.vertices(rig).reshape(-1, 3)
    return np.stack([rig.object_position(name) for name in rig.task.objects])


@pytest.mark.parametrize("kind", KINDS)
def test_that_nothing_changes_before_its_time_and_something_from_then_on(rig, robot, kind):
    _, plain, nothing = perform(rig, robot, "pick_lift")
    assert nothing is None
    _, disturbed, outcome = perform(rig, robot, "pick_lift", kind)
    assert outcome.applied and outcome.reason == "" and outcome.kind == kind
    count = math.ceil(outcome.time_s / 0.2 - 1e-6)
    assert 0 < count < len(plain) - 4
    np.testing.assert_array_equal(plain[:count], disturbed[:count])
    if kind in ("object_moved", "object_pushed", "arm_nudged"):
        assert not np.array_equal(plain[count + 1], disturbed[count + 1])
    else:  # the expert does not look
        np.testing.assert_array_equal(plain, disturbed)


@pytest.mark.parametrize("kind", KINDS)
def test_that_the_same_seed_gives_the_same_disturbance(rig, robot, kind):
    runs = [perform(rig, robot, "pick_lift", kind) for _ in range(2)]
    assert runs[0][2] == runs[1][2]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    for first, again in zip(runs[0][0].image, runs[1][0].image, strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["object_moved", "object_pushed"])
@pytest.mark.parametrize("amount", [None, 0.02])
def test_that_the_tasks_things_go_as_far_as_stated_and_stay_reachable(rig, task, kind, amount):
    for seed in range(SEED, SEED + 3):
        at_once, after, outcome = shift(rig, task, kind, seed, amount)
        assert outcome.applied and outcome.what == ", ".join(TASKS[task].objects)
        wanted = amount or KINDS[kind].default
        # Cloth gives a little, and settles.
        tolerance = 0.004 if task == "towel_fold" else 0.0005
        way = np.linalg.norm(after[:, :2], axis=1)
        np.testing.assert_allclose(way, wanted, atol=tolerance)
        np.testing.assert_allclose(after[:, :2], np.tile(after[0, :2], (len(after), 1)), atol=0.006)
        np.testing.assert_allclose(after[:, 2], 0.0, atol=tolerance)
        first = np.linalg.norm(at_once[:, :2], axis=1).max()
        assert (first > 0.9 * wanted) == (kind == "object_moved")  # a push takes its time
        if task != "towel_fold":
            there = places(rig)[:, :2]
            assert (there > REACHABLE[0] - 1e-3).all() and (there < REACHABLE[1] + 1e-3).all()


def test_that_seeds_differ_in_direction_and_amounts_do_not(rig):
    headings = []
    for seed in range(SEED, SEED + 4):
        (short,), (long,) = (
            shift(rig, "pick_lift", "object_moved", seed, amount)[1] for amount in (0.01, 0.02)
        )
        np.testing.assert_allclose(2 * short, long, atol=1e-4)
        headings.append(math.atan2(long[1], long[0]))
    assert np.ptp(headings) > 0.5


def test_that_it_happens_when_a_hand_is_half_way(rig, robot):
    record, _, outcome = perform(rig, robot, "pick_lift", "object_moved")
    cube = np.stack(record.object_position)[:, rig.tracked.index("cube")]
    hands = np.stack(record.hand_pose).reshape(-1, 2, 10)[..., :3]
    distance = np.linalg.norm(hands - cube[0], axis=-1)
    nearest = distance[0].argmin()
    frame = int(outcome.time_s / 0.2)
    assert distance[frame, nearest] > distance[0, nearest] / 2 > distance[frame + 2, nearest]
    jump = np.linalg.norm(np.diff(cube, axis=0), axis=1)
    assert jump[frame] == pytest.approx(0.04, abs=1e-4)


@pytest.mark.parametrize("kind", ["object_moved", "object_pushed"])
def test_that_what_is_held_is_left_where_it_is(rig, robot, kind):
    rig.reset("pick_lift", SEED)
    performance = Performance(rig, robot, np.random.default_rng(0), noise_m=0.0)
    side = int(rig.object_position("cube")[0] > 0)
    cube = rig.object_position("cube")
    performance.move(performance.hands.moved(side, cube + [0, 0, 0.11], 0.0), 5)
    performance.move(performance.hands.moved(side, cube), 4)
    performance.move(performance.hands.moved(side, width=CLOSED), 3)
    disturber = Disturber(rig, Disturbance.parse(kind), SEED)
    disturber._begun_m = np.full_like(disturber._begun_m, np.inf)
    before = rig.data.qpos.copy()
    disturber.before_step()
    assert (disturber.outcome.applied, disturber.outcome.reason) == (False, "held")
    np.testing.assert_array_equal(rig.data.qpos, before)


def test_that_a_thing_without_a_free_place_is_left_where_it_is(rig):
    rig.reset("handover", SEED)
    for x in (-0.13, 0.13):  # the tray and the bar side by side fill the table
        rig.place("tray" if x > 0 else "bar", (x, 0.32, 0.03), 0.0)
    rig.forward()
    disturber = Disturber(rig, Disturbance("object_moved", 0.5), SEED)
    disturber._begun_m = np.full_like(disturber._begun_m, np.inf)
    disturber.before_step()
    assert (disturber.outcome.applied, disturber.outcome.reason) == (False, "no room")


def test_that_without_a_hand_on_its_way_nothing_happens(rig):
    rig.reset("pick_lift", SEED)
    rig.disturb(Disturbance.parse("light_dimmed"), SEED)
    rig.step(2.0)
    assert not rig.disturbed.applied
    assert (rig.disturbed.time_s, rig.disturbed.reason) == (None, "no hand came that far")


def test_that_twice_the_torque_deflects_a_joint_twice_as_far_and_it_comes_back(rig):
    def deflection(torque):
        rig.reset("reach", SEED)
        disturber = Disturber(rig, Disturbance("arm_nudged", torque), SEED)
        disturber._begun_m = np.full_like(disturber._begun_m, np.inf)
        rig.disturber = disturber
        start = rig.joint_state()[0]
        rig.step(0.2)
        most = rig.joint_state()[0] - start
        rig.step(1.0)
        assert not rig.data.qfrc_applied.any()
        np.testing.assert_allclose(rig.joint_state()[0], start, atol=0.004)
        joint = int(np.abs(most).argmax())
        side, number = ("left", "right")[joint // 6], joint % 6 + 1
        assert rig.disturbed.what == f"{side}_joint_{number}"
        return most[joint]

    small, large = deflection(15.0), deflection(30.0)
    assert abs(large) > 0.015  # about a centimetre at the hand
    assert large / small == pytest.approx(2.0, rel=0.1)


def test_that_the_camera_turns_by_the_angle_stays_so_and_is_mended_by_a_reset(rig, robot):
    rig.reset("reach", SEED)
    plain, camera = rig.render("head"), rig.model.camera("head").id
    before = rig.model.cam_quat[camera].copy()
    _, _, outcome = perform(rig, robot, "reach", "camera_shaken", amount=0.05)
    assert outcome.what == "head camera"
    turn = Rotation.from_quat(before, scalar_first=True).inv() * Rotation.from_quat(
        rig.model.cam_quat[camera], scalar_first=True
    )
    assert turn.magnitude() == pytest.approx(0.05, abs=1e-6)
    rig.reset("reach", SEED)
    np.testing.assert_array_equal(rig.render("head"), plain)


def test_that_the_picture_turns_with_the_camera_at_once(rig):
    """A state that was edited shows only after its consequences were computed."""
    rig.reset("reach", SEED)
    disturber = Disturber(rig, Disturbance.parse("camera_shaken"), SEED)
    disturber._begun_m = np.full_like(disturber._begun_m, np.inf)
    before = rig.render("head").astype(int)
    disturber.before_step()
    shown = rig.render("head")
    assert np.abs(shown - before).mean() > 2
    mujoco.mj_forward(rig.model, rig.data)
    np.testing.assert_array_equal(rig.render("head"), shown)


def test_that_the_light_loses_its_share(rig, robot):
    _, _, outcome = perform(rig, robot, "reach")
    model = rig.model
    lights = [model.vis.headlight.diffuse, model.vis.headlight.ambient, model.light_diffuse]
    before, picture = [light.copy() for light in lights], rig.render("head")
    assert outcome is None
    _, _, outcome = perform(rig, robot, "reach", "light_dimmed", amount=0.4)
    assert outcome.what == "light"
    for light, was in zip(lights, before, strict=True):
        np.testing.assert_allclose(light, 0.6 * was, rtol=1e-6)
    # The scene is lit a little more than a picture can show, so it darkens by less.
    assert 0.55 < np.median(rig.render("head") / np.maximum(picture, 1.0)) < 0.75


def test_that_amounts_are_read_with_their_bounds():
    assert Disturbance.parse("object_moved") == Disturbance("object_moved", 0.04)
    assert Disturbance.parse("object_moved=0.06").amount == 0.06
    assert math.degrees(Disturbance.parse("camera_shaken").amount) == pytest.approx(2.0)
    assert Disturbance.parse("arm_nudged").text == "arm_nudged by 30 N m"
    with pytest.raises(ConfigurationError, match=r"is 1\.0 m, expected at most 0\.15 m"):
        Disturbance.parse("object_moved=1")
    with pytest.raises(ConfigurationError, match="'much' after = is not a number"):
        Disturbance.parse("object_moved=much")
    with pytest.raises(UnknownNameError, match="Did you mean 'object_moved'"):
        Disturbance.parse("object_move")

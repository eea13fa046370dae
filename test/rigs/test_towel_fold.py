import numpy as np
import pytest

from wm_planner.rigs import towel
from wm_planner.rigs.collection import record_episode
from wm_planner.rigs.performance import Performance
from wm_planner.rigs.tasks import TASKS
from wm_planner.rigs.tasks.towel_fold import corner_error


def close_hands(rig, robot, corner, height):
    """Put both hands above two corners of the towel and close them there."""
    performance = Performance(rig, robot, np.random.default_rng(0), noise_m=0.0)
    hands = performance.hands.copy()
    hands.position[:] = [towel.corner(rig, f"{corner}_{side}") for side in ("left", "right")]
    hands.position[:, 2] += height
    performance.move(hands, 6)
    hands = hands.copy()
    hands.width[:] = 0.0
    performance.move(hands, 3)
    return performance


def test_that_the_towel_lies_flat_where_it_was_placed(rig):
    rig.reset("towel_fold", 3)
    towel.place_towel(rig, np.array([0.03, 0.31]), 0.2)
    rig.forward()
    points = towel.vertices(rig)
    np.testing.assert_allclose(points[..., :2].mean((0, 1)), [0.03, 0.31], atol=1e-9)
    across = towel.corner(rig, "far_right") - towel.corner(rig, "far_left")
    assert np.arctan2(across[1], across[0]) == pytest.approx(0.2)
    assert np.linalg.norm(across) == pytest.approx(towel.SIDE_M)
    assert towel.covered_area(rig) == pytest.approx(1.0)
    rig.step(0.4)  # and a rigid motion has not strained it: it stays
    np.testing.assert_allclose(towel.vertices(rig)[..., :2], points[..., :2], atol=2e-3)


def test_that_the_same_seed_gives_the_same_scene_and_a_flat_towel_is_not_folded(rig):
    rig.reset("towel_fold", 5)
    first = towel.vertices(rig), rig.object_position("cube")
    assert not rig.succeeded()
    assert corner_error(rig) == pytest.approx(towel.SIDE_M, abs=2e-3)
    rig.reset("pick_lift", 5)
    rig.reset("towel_fold", 6)
    assert np.abs(towel.vertices(rig) - first[0]).max() > 1e-3
    rig.reset("towel_fold", 5)
    np.testing.assert_array_equal(towel.vertices(rig), first[0])
    np.testing.assert_array_equal(rig.object_position("cube"), first[1])


def test_that_a_hand_closing_on_cloth_holds_it_until_it_opens(rig, robot):
    rig.reset("towel_fold", 1)
    performance = close_hands(rig, robot, "far", 0.005)
    assert towel.is_held(rig)
    up = performance.hands.copy()
    up.position[:, 2] += 0.1
    performance.move(up, 4)
    assert towel.corner(rig, "far_left")[2] > 0.07
    opened = up.copy()
    opened.width[:] = 0.06
    performance.move(opened, 3)
    performance.hold(3)
    assert not towel.is_held(rig)
    assert towel.corner(rig, "far_left")[2] < 0.03


def test_that_a_hand_closing_above_the_cloth_holds_nothing(rig, robot):
    rig.reset("towel_fold", 1)
    close_hands(rig, robot, "far", 0.06)
    assert not towel.is_held(rig)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("expert", 2), ("recovery", 1), ("failure", 0)])
def test_that_the_expert_folds_and_its_failures_do_not(rig, robot, kind, least):
    episodes = [
        record_episode(rig, robot, "towel_fold", seed, kind) for seed in range(max(least, 1))
    ]
    successes = sum(episode["success"] for episode in episodes)
    assert successes >= least
    if kind == "failure":
        assert successes == 0
    for episode in episodes:
        assert np.isfinite(episode["object_position"]).all()
        assert episode["object_position"].shape[1] == len(episode["object_names"]) == 5
        assert len(episode["image"]) * 0.2 <= TASKS["towel_fold"].time_limit_s + 5


def test_that_covered_area_is_that_of_the_outline(rig):
    rig.reset("towel_fold", 0)
    towel.place_towel(rig, np.array([0.0, 0.32]), 0.0)
    for vertex in range(towel.COUNT**2):  # fold it by hand: y beyond the middle is mirrored
        address = rig.model.jnt_qposadr[rig.model.body(f"towel_{vertex}").jntadr[0]]
        beyond = (vertex % towel.COUNT) / (towel.COUNT - 1) - 0.5
        rig.data.qpos[address + 1] -= 2 * max(beyond, 0.0) * towel.SIDE_M
    rig.forward()
    assert towel.covered_area(rig) == pytest.approx(0.5, abs=1e-6)
    assert corner_error(rig) == pytest.approx(0.0, abs=1e-6)
    assert rig.succeeded()

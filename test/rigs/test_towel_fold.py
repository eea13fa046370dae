import numpy as np
import pytest

from wm_planner.rigs import towel
from wm_planner.rigs.collection import record_episode
from wm_planner.rigs.hands import CLOSED
from wm_planner.rigs.performance import Performance
from wm_planner.rigs.tasks import TASKS
from wm_planner.rigs.tasks.towel_fold import CORNER_ERROR_M, corner_error

FOLDED = (-0.27, 0.02)  # m along y and z: from far corner to near corner


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


def fold_by_hand(rig, left=1.0, right=1.0):
    """Lay it flat and mirror what is beyond the middle; less than 1 leaves corners short of it."""
    towel.place_towel(rig, np.array([0.0, 0.32]), 0.0)
    for vertex in range(towel.COUNT**2):
        address = rig.model.jnt_qposadr[rig.model.body(f"towel_{vertex}").jntadr[0]]
        across, along = (k / (towel.COUNT - 1) for k in divmod(vertex, towel.COUNT))
        share = left + (right - left) * across
        rig.data.qpos[address + 1] -= 2 * share * max(along - 0.5, 0.0) * towel.SIDE_M
    rig.forward()


def begun(rig, robot, side, way):
    """A hand has a far corner ``way`` (y, z) m from where it was; the other one was held there."""
    rig.reset("towel_fold", 900_001)
    towel.place_towel(rig, np.array([0.0, 0.33]), 0.0)  # its near edge is where hands can go
    rig.forward()
    performance = Performance(rig, robot, np.random.default_rng(0), noise_m=0.0)
    performance._log = lambda *_: None  # no pictures
    assert TASKS["towel_fold"]._take(performance, [0, 1], "")
    for move in ([way[0] / 2, way[1] + 0.1], [way[0] / 2, -0.1]):  # over the top
        hands = performance.hands.copy()
        hands.position[side, 1:] += move
        performance.move(hands, 4)
    let_go(performance, [1 - side])
    return performance


def let_go(performance, sides):
    hands = performance.hands.copy()
    hands.width[sides] = 0.06
    performance.move(hands, 2)
    hands = hands.copy()
    hands.position[sides, 2] += 0.13
    performance.move(hands, 3)


def take_over(rig, robot):
    """Let the expert go on; widths that hands were told, shape (N, 2), m, and how low they came."""
    performance = Performance(rig, robot, np.random.default_rng(1))
    performance.step, performance.max_steps = 1, 51
    widths, heights = [], []

    def note(commanded, good):
        widths.append(commanded.width)
        heights.append(rig.tool_position()[:, 2])

    performance._log = note
    TASKS["towel_fold"].perform(performance, "")
    return np.array(widths), np.array(heights)


@pytest.mark.slow
def test_that_a_corner_which_lies_where_it_belongs_is_left_there(rig, robot):
    let_go(begun(rig, robot, 1, FOLDED), [1])
    assert not rig.succeeded() and rig.task.resumable(rig, ())
    widths, heights = take_over(rig, robot)
    assert rig.succeeded()
    assert widths[:, 1].min() > towel.RELEASE_WIDTH and heights[:, 1].min() > 0.1
    assert widths[:, 0].min() == CLOSED  # the other one is fetched


@pytest.mark.slow
def test_that_a_corner_in_the_air_is_laid_back_before_it_is_let_go(rig, robot):
    """Let fall, the cloth would lie in folds."""
    begun(rig, robot, 0, (-0.06, 0.1))
    assert towel.is_held(rig, ("left",)) and rig.task.resumable(rig, ())
    widths, heights = take_over(rig, robot)
    opened = int(np.argmax(widths[:, 0] > towel.RELEASE_WIDTH))
    # Down to the table from 0.11 m, but for what the arm lags behind: 0.034 m where this was seen.
    assert opened > 0 and heights[opened, 0] < 0.05
    assert rig.succeeded()


@pytest.mark.slow
def test_that_a_corner_which_is_held_where_it_belongs_is_held_until_the_other_one_is_there(
    rig, robot
):
    begun(rig, robot, 1, FOLDED)
    assert towel.is_held(rig, ("right",))
    widths, _ = take_over(rig, robot)
    closed = widths[:, 0] == CLOSED
    assert closed.any() and (widths[: np.flatnonzero(closed)[-1] + 1, 1] < towel.GRIP_WIDTH).all()
    assert rig.succeeded()


@pytest.mark.parametrize(
    ("left", "right", "possible"),
    [(0.0, 0.0, True), (1.0, 0.0, True), (0.7, 0.0, False), (0.7, 1.0, False), (1.0, 1.0, False)],
)
def test_that_it_does_not_go_on_where_taking_a_corner_takes_the_cloth_beneath(
    rig, left, right, possible
):
    """Or where no corner is left to be folded."""
    rig.reset("towel_fold", 0)
    fold_by_hand(rig, left, right)
    beside = towel.SIDE_M * (1 - min(left, right)) > CORNER_ERROR_M
    assert rig.succeeded() == (not beside)
    assert rig.task.resumable(rig, ()) == possible


def test_that_covered_area_is_that_of_the_outline(rig):
    rig.reset("towel_fold", 0)
    fold_by_hand(rig)
    assert towel.covered_area(rig) == pytest.approx(0.5, abs=1e-6)
    assert corner_error(rig) == pytest.approx(0.0, abs=1e-6)
    assert rig.succeeded()

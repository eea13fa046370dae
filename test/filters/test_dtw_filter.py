"""The DTW filter: three comparisons, each on where it is asked for, and the laws of all filters."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from wm_planner import actions, registry
from wm_planner.errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from wm_planner.filters.dtw.demonstration_library import (
    ANY_TASK,
    DemonstrationLibrary,
    LibraryCard,
    load_library,
)
from wm_planner.filters.dtw.hand_distance import Weights
from wm_planner.filters.dtw_filter import DtwFilter, DtwFilterSettings
from wm_planner.filters.filter import JudgingContext
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import describe, from_mapping
from wm_planner.types import (
    ActionChunks,
    Goal,
    HandPoses,
    JointTrajectories,
    Need,
    RejectionReason,
    Resimulation,
    Rollouts,
    StartState,
)

DT, K, H = 0.2, 6, 8
OFF = np.array([0.0, 0.01, 0.02, 0.04, 0.08, 0.16])  # m, of candidate k from candidate 0


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(find_rig("simulated_bimanual"))


@pytest.fixture
def start(robot) -> StartState:
    return StartState(robot.rig.home, np.zeros(12))


@pytest.fixture
def poses(robot) -> HandPoses:
    """Candidates that move the left hand to the right, each `OFF` more than the first (K, H)."""
    home = robot.hand_poses(robot.rig.home, np.full(2, 0.05))
    position = np.tile(home.position, (K, H, 1, 1))
    share = np.arange(1, H + 1) / H
    position[:, :, 0, 0] += 0.1 * share + OFF[:, None] * (share > 0.5)
    rotation = np.tile(home.rotation, (K, H, 1, 1, 1))
    return HandPoses(position, rotation, np.full((K, H, 2), 0.05))


def chunks_of(robot, poses: HandPoses) -> ActionChunks:
    relative = actions.difference(robot.hand_poses(robot.rig.home, np.zeros(2)), poses)
    return ActionChunks(relative, np.ones_like(relative), DT, 0, "bundle")


def judge(robot, start, poses: HandPoses, goal: Goal = Goal(), **settings):  # noqa: B008
    """The only verdict of a filter with these settings."""
    count = poses.lead[0]
    nothing = np.zeros((count, H, 12)), np.zeros((count, H, 12)), *np.zeros((3, count, H, 2))
    made = DtwFilter(robot, from_mapping(DtwFilterSettings, settings))
    context = JudgingContext(chunks_of(robot, poses), JointTrajectories(*nothing), start, goal=goal)
    verdicts = made.judge(context)
    (verdict,) = verdicts
    return verdict


@pytest.fixture
def library(poses, tmp_path: Path) -> Path:
    """A file with candidate 0 as the demonstration of one task, candidate 5 as another's."""
    card = LibraryCard(
        rig="simulated_bimanual",
        dt=DT,
        licence="apache-2.0",
        datasets=("abc",),
        false_rejections=0.01,
        band=2,
        weights=Weights(),
        limit={"near": 0.02, "far": 0.1, ANY_TASK: 0.03},
        held_out={"near": 100, "far": 100, ANY_TASK: 200},
        instructions={"near": ["come near", "approach"], "far": ["go away"]},
    )
    targets = actions.pack(poses)[[0, 5]]
    made = DemonstrationLibrary(targets, np.array(["near", "far"]), np.array([3, 7]), card)
    made.save(tmp_path / "demonstrations")
    return tmp_path / "demonstrations"


def test_it_is_registered_documented_and_silent_by_default(robot, start, poses) -> None:
    assert registry.resolve("filters", "dtw") is DtwFilter
    assert all(info.help for info in describe(DtwFilterSettings))
    trajectories = JointTrajectories(*np.zeros((2, K, H, 12)), *np.zeros((3, K, H, 2)))
    assert DtwFilter(robot).needs is Need.NOTHING
    context = JudgingContext(chunks_of(robot, poses), trajectories, start)
    assert DtwFilter(robot).judge(context) == ()


def test_candidates_are_held_against_their_references(robot, poses, start) -> None:
    made = DtwFilter(robot, DtwFilterSettings(reference_limit=0.03))
    same = made.targets(chunks_of(robot, poses), start)
    np.testing.assert_allclose(same.position, poses.position, atol=1e-12)
    assert made.judge_against(same, poses).measured == pytest.approx(0.0, abs=1e-6)
    first = poses[[0] * K]
    verdict = made.judge_against(poses, first)
    assert verdict.reason is RejectionReason.FAR_FROM_REFERENCE
    assert (np.diff(verdict.measured) > 0.0).all()
    assert verdict.accepted.tolist() == [True, True, True, True, False, False]
    assert verdict.where[5] == "left"
    assert verdict.first_bad_step.tolist() == [-1, -1, -1, -1, 4, 4]
    sentence = verdict.sentence(5)
    assert sentence.startswith("candidate 5: far from reference 0.1")
    assert sentence.endswith("m at left is over 0.03 m, first at step 4 (dtw)")
    with pytest.raises(ShapeError, match=r"candidates \(6, 8\), references \(1, 8\)"):
        made.judge_against(poses, poses[:1])


def test_what_was_simulated_is_the_reference_where_asked_for(robot, start, poses) -> None:
    made = DtwFilter(robot, DtwFilterSettings(resimulation=True, reference_limit=0.03))
    assert made.needs is Need.CHUNKS
    nothing = JointTrajectories(*np.zeros((2, K, H, 12)), *np.zeros((3, K, H, 2)))
    dream = Rollouts(np.zeros((K, H, 2)), DT, 0, 0, "bundle")
    shown = chunks_of(robot, poses[[0] * K])
    seen = Resimulation(dream, dream, np.zeros(2), shown)
    (verdict,) = made.judge(JudgingContext(chunks_of(robot, poses), nothing, start, seen))
    wanted = made.judge_against(poses, poses[[0] * K])
    assert verdict.reason is RejectionReason.FAR_FROM_REFERENCE
    np.testing.assert_allclose(verdict.measured, wanted.measured, atol=1e-9)
    assert verdict.accepted.tolist() == [True, True, True, True, False, False]


def test_the_nearest_demonstration_of_the_task_counts(robot, start, poses, library) -> None:
    near = judge(robot, start, poses, demonstrations=str(library), demonstrations_task="near")
    assert near.limit == 0.02
    assert near.measured[0] == pytest.approx(0.0, abs=1e-6)
    assert near.accepted.tolist() == [True, True, True, False, False, False]
    assert near.where[4] == "left (nearest: near, episode 3)"
    both = judge(robot, start, poses, demonstrations=str(library))
    assert both.limit == 0.03
    assert both.where[5].endswith("(nearest: far, episode 7)")
    assert (both.measured <= near.measured + 1e-12).all()
    own = judge(robot, start, poses, demonstrations=str(library), demonstrations_limit=0.5)
    assert own.accepted.all()


@pytest.mark.parametrize(
    ("instruction", "task"),
    [("Come near!", "near"), ("near, come", "near"), ("go away", "far"), ("go", ""), (None, "")],
)
def test_the_task_that_is_asked_for_decides_unless_one_is_named(
    robot, start, poses, library, instruction, task
) -> None:
    goal, file = Goal(instruction), {"demonstrations": str(library)}
    asked = judge(robot, start, poses, goal, **file)
    named = judge(robot, start, poses, **file, demonstrations_task=task)
    assert (asked.limit, asked.where) == (named.limit, named.where)
    np.testing.assert_array_equal(asked.measured, named.measured)
    fixed = judge(robot, start, poses, goal, **file, demonstrations_task="far")
    assert fixed.limit == 0.1


def test_what_two_tasks_call_the_same_asks_for_neither(library) -> None:
    known = load_library(library)
    card = replace(known.card, instructions={"near": ["go"], "far": ["go", "leave"]})
    assert replace(known, card=card).task_of("go") == ANY_TASK
    assert replace(known, card=card).task_of("leave") == "far"


def test_it_judges_motion_alone_unless_the_goal_decides(robot, library) -> None:
    def made(**settings) -> DtwFilter:
        return DtwFilter(robot, DtwFilterSettings(**settings))

    assert made(consensus=True).judges_motion_alone
    assert made(demonstrations=str(library), demonstrations_task="near").judges_motion_alone
    assert not made(demonstrations=str(library)).judges_motion_alone
    assert not made(resimulation=True).judges_motion_alone


def test_a_library_that_does_not_fit_is_refused(robot, start, poses, library, tmp_path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'near'"):
        judge(robot, start, poses, demonstrations=str(library), demonstrations_task="nera")
    with pytest.raises(ConfigurationError, match="its limits are for band 2"):
        judge(robot, start, poses, demonstrations=str(library), band=1)
    with pytest.raises(ShapeError, match="build the library again"):
        made = DtwFilter(robot, DtwFilterSettings(demonstrations=str(library)))
        chunks = replace(chunks_of(robot, poses), dt=0.1)
        nothing = JointTrajectories(*np.zeros((2, K, H, 12)), *np.zeros((3, K, H, 2)))
        made.judge(JudgingContext(chunks, nothing, start))
    other = load_library(library)
    replace(other, card=replace(other.card, rig="other")).save(tmp_path / "other")
    with pytest.raises(ConfigurationError, match="is of rig other, not simulated_bimanual"):
        judge(robot, start, poses, demonstrations=str(tmp_path / "other"))
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(DataError, match="is not a demonstration library"):
        judge(robot, start, poses, demonstrations=str(tmp_path / "text"))


def test_a_library_survives_the_file(library) -> None:
    once = load_library(library)
    once.save(library)
    again = load_library(library)
    assert again.card == once.card
    np.testing.assert_array_equal(again.targets, once.targets)
    assert again.task.tolist() == ["near", "far"]
    assert len(again.of_task("far").targets) == 1


CONSENSUS = [{"consensus": True, "consensus_neighbours": n} for n in (0, 2)]


@pytest.mark.parametrize("settings", CONSENSUS)
def test_the_outlier_is_furthest_from_consensus(robot, start, poses, settings) -> None:
    verdict = judge(robot, start, poses, consensus_limit=0.04, **settings)
    assert verdict.reason is RejectionReason.FAR_FROM_CONSENSUS
    assert verdict.measured.argmax() == 5
    assert verdict.accepted.tolist() == [True] * 5 + [False]
    assert verdict.first_bad_step[5] in (3, 4)  # step 3 may be aligned with a later one


@pytest.mark.parametrize("settings", CONSENSUS)
@pytest.mark.parametrize("count", [2, 6])
def test_shuffling_candidates_shuffles_verdicts(
    robot, start, poses, generator, settings, count
) -> None:
    order = generator.permutation(count)
    one = judge(robot, start, poses[:count], consensus_limit=0.01, **settings)
    other = judge(robot, start, poses[order], consensus_limit=0.01, **settings)
    np.testing.assert_allclose(one.measured[order], other.measured, atol=1e-12)
    np.testing.assert_array_equal(one.first_bad_step[order], other.first_bad_step)


@pytest.mark.parametrize("settings", CONSENSUS)
def test_a_candidate_that_is_nan_is_rejected_and_leaves_the_others(
    robot, start, poses, settings
) -> None:
    position = poses.position.copy()
    position[2, 3, 1, 0] = np.nan
    broken = replace(poses, position=position)
    verdict = judge(robot, start, broken, consensus_limit=1.0, **settings)
    assert verdict.accepted.tolist() == [True, True, False, True, True, True]
    assert verdict.first_bad_step[2] == 3
    assert verdict.where[2] == "right"
    rest = [0, 1, 3, 4, 5]
    without = judge(robot, start, poses[rest], consensus_limit=1.0, **settings)
    np.testing.assert_allclose(verdict.measured[rest], without.measured, atol=1e-12)


@pytest.mark.parametrize("settings", CONSENSUS)
def test_a_single_candidate_contradicts_nobody(robot, start, poses, settings) -> None:
    assert judge(robot, start, poses[:1], **settings).measured.tolist() == [0.0]


def test_a_looser_limit_never_rejects_more(robot, start, poses, library) -> None:
    for name, on in (
        ("consensus_limit", {"consensus": True}),
        ("demonstrations_limit", {"demonstrations": str(library)}),
    ):
        passed = [
            judge(robot, start, poses, **on, **{name: limit}).accepted
            for limit in (1e-6, 0.01, 0.03, 0.2)
        ]
        for tighter, looser in pairwise(passed):
            assert not (tighter & ~looser).any()
        assert passed[-1].sum() > passed[0].sum()


def test_a_wider_band_never_measures_more(robot, start, poses) -> None:
    shifted = replace(poses, position=np.roll(poses.position, 1, axis=1))
    both = HandPoses(
        *(np.concatenate(pair) for pair in zip(_parts(poses), _parts(shifted), strict=True))
    )
    measured = [
        judge(robot, start, both, consensus=True, consensus_neighbours=11, band=band).measured
        for band in (0, 1, 2, 7)
    ]
    for narrow, wide in pairwise(measured):
        assert (wide <= narrow + 1e-12).all()


def _parts(poses: HandPoses) -> tuple[np.ndarray, ...]:
    return poses.position, poses.rotation, poses.width

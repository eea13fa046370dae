"""The kinematic filter: every limit from both sides, and the laws of all filters."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from wm_planner import actions, registry
from wm_planner.errors import ConfigurationError, ShapeError
from wm_planner.filters.filter import JudgingContext
from wm_planner.filters.kinematic_filter import KinematicFilter, KinematicFilterSettings
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import describe, from_mapping
from wm_planner.types import (
    ActionChunks,
    JointTrajectories,
    RejectionReason,
    StartState,
    Verdicts,
)

DT, K, H, D = 0.2, 4, 8, 12
OTHERS = ("FAR_FROM", "CYCLE")
KINEMATIC = {reason for reason in RejectionReason if not reason.value.startswith(OTHERS)}
OPEN = np.full(2, 0.08)
AS_DREAMED = KinematicFilterSettings(rate_slowdown=1.0)  # nothing may be carried out slower


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(find_rig("simulated_bimanual"))


@pytest.fixture(scope="module")
def settings() -> KinematicFilterSettings:
    return KinematicFilterSettings()


def still(robot: RobotModel, count: int = K) -> np.ndarray:
    """Joint positions (K, H, D) that stay at home."""
    return np.tile(robot.rig.home, (count, H, 1))


def case(robot: RobotModel, q: np.ndarray, width: np.ndarray | float = 0.08):
    """Chunks and trajectories through joint positions (K, H, D), as if IK had found them."""
    width = np.broadcast_to(width, (*q.shape[:2], 2))
    with np.errstate(invalid="ignore"):
        poses = robot.hand_poses(q, width)
        relative = actions.difference(robot.hand_poses(robot.rig.home, OPEN), poses)
        chunks = ActionChunks(relative, np.ones_like(relative), DT, 0, "bundle")
        velocity = np.gradient(q, DT, axis=1)
    nothing = np.zeros((*q.shape[:2], 2))
    return chunks, JointTrajectories(q, velocity, np.clip(width, 0, 0.09), nothing, nothing)


def at_rest(position: np.ndarray) -> StartState:
    return StartState(position, np.zeros(len(position)))


def judge(robot, q, width=0.08, settings=None, measured=None, velocity=None, dt=DT):
    """Verdicts on joint positions (K, H, D) that begin at `measured` with `velocity`."""
    chunks, trajectories = case(robot, q, width)
    chunks = replace(chunks, dt=dt)
    measured = robot.rig.home if measured is None else measured
    velocity = np.zeros(len(measured)) if velocity is None else velocity
    start = StartState(measured, velocity)
    return KinematicFilter(robot, settings or AS_DREAMED).judge(
        JudgingContext(chunks, trajectories, start)
    )


def about(verdicts: tuple[Verdicts, ...], reason: RejectionReason) -> Verdicts:
    return next(verdict for verdict in verdicts if verdict.reason is reason)


def accepted(verdicts: tuple[Verdicts, ...]) -> np.ndarray:
    return np.all([verdict.accepted for verdict in verdicts], axis=0)


def test_it_is_registered_and_its_settings_are_documented() -> None:
    assert registry.resolve("filters", "kinematic") is KinematicFilter
    assert all(info.help for info in describe(KinematicFilterSettings))
    with pytest.raises(ConfigurationError, match="Did you mean 'start_jump'"):
        from_mapping(KinematicFilterSettings, {"start_jmp": 1.0})


def test_standing_still_is_accepted_and_every_reason_is_measured(robot) -> None:
    verdicts = judge(robot, still(robot))
    assert accepted(verdicts).all()
    assert {verdict.reason for verdict in verdicts} == KINEMATIC
    for verdict in verdicts:
        assert verdict.filter == "kinematic"
        assert verdict.measured.shape == (K,)
        assert (verdict.first_bad_step == -1).all()
        assert "is within" in verdict.sentence(0)


@pytest.mark.parametrize("past", [-1e-6, 1e-6])
def test_a_position_limit_rejects_above_and_accepts_below(robot, past: float) -> None:
    measured = robot.rig.home.copy()
    measured[5] = robot.position_upper[5]
    q = np.tile(measured, (2, H, 1))
    q[1, 3, 5] += past
    verdict = about(judge(robot, q, measured=measured), RejectionReason.JOINT_POSITION)
    assert verdict.accepted.tolist() == [True, past < 0]
    assert verdict.where == ("left_joint_6", "left_joint_6")
    assert verdict.first_bad_step.tolist() == [-1, 3 if past > 0 else -1]


@pytest.mark.parametrize("past", [-1e-3, 1e-3])
def test_a_velocity_limit_holds_between_waypoints(robot, past: float) -> None:
    q = still(robot)
    q[2, 4:, 8] -= (robot.velocity_limit[8] + past) * DT
    verdict = about(judge(robot, q), RejectionReason.JOINT_VELOCITY)
    assert verdict.accepted.tolist() == [True, True, past < 0, True]
    assert verdict.measured[2] == pytest.approx(1.0, abs=1e-3)
    assert verdict.where[2].startswith("right_joint_3 (2.5 of 2.5 rad/s)")
    assert verdict.first_bad_step[2] == (4 if past > 0 else -1)


@pytest.mark.parametrize("past", [-1e-2, 1e-2])
def test_an_acceleration_limit_holds_at_waypoints(robot, past: float) -> None:
    q = still(robot)
    # Two steps at most, since at this acceleration a third would be too fast.
    q[1, 5:, 0] += (robot.acceleration_limit[0] + past) * DT**2 * 0.5
    q[1, 6:, 0] -= (robot.acceleration_limit[0] + past) * DT**2 * 0.5
    verdict = about(judge(robot, q), RejectionReason.JOINT_ACCELERATION)
    assert verdict.accepted.tolist() == [True, past < 0, True, True]
    assert verdict.where[1] == "left_joint_1 (15 of 15 rad/s^2)"
    assert verdict.first_bad_step[1] == (5 if past > 0 else -1)


def test_the_way_from_the_measured_state_counts(robot, settings) -> None:
    q = still(robot)
    measured = robot.rig.home.copy()
    measured[3] += settings.start_jump + 0.05
    verdicts = judge(robot, q, measured=measured)
    start = about(verdicts, RejectionReason.START_STATE)
    assert not start.accepted.any()
    assert start.measured == pytest.approx(settings.start_jump + 0.05)
    assert start.where[0] == "left_joint_4"
    assert start.first_bad_step[0] == 0
    measured[3] = robot.rig.home[3] + settings.start_jump - 0.05
    assert about(judge(robot, q, measured=measured), RejectionReason.START_STATE).accepted.all()


@pytest.mark.parametrize(("name", "index"), [("ik_position_error", 0), ("ik_rotation_error", 1)])
def test_residuals_of_inverse_kinematics_count(robot, settings, name: str, index: int) -> None:
    chunks, trajectories = case(robot, still(robot))
    limit = getattr(settings, name)
    error = np.zeros((K, H, 2))
    error[0, 2, 1], error[1, 5, 0] = limit, limit * 1.01
    trajectories = replace(trajectories, **{name: error})
    verdicts = KinematicFilter(robot).judge(
        JudgingContext(chunks, trajectories, at_rest(robot.rig.home))
    )
    residuals = [v for v in verdicts if v.reason is RejectionReason.IK_RESIDUAL]
    assert residuals[index].accepted.tolist() == [True, False, True, True]
    assert residuals[1 - index].accepted.all()
    assert residuals[index].where[:2] == ("right", "left")
    assert residuals[index].first_bad_step[1] == 5


def test_widths_may_leave_their_range_a_little(robot, settings) -> None:
    width = np.full((K, H, 2), 0.05)
    width[0, 1, 0] = -settings.gripper_overshoot + 1e-6
    width[1, 1, 0] = -settings.gripper_overshoot - 1e-6
    width[2, 1, 1] = 0.09 + settings.gripper_overshoot + 1e-6
    verdict = about(judge(robot, still(robot), width), RejectionReason.GRIPPER_RANGE)
    assert verdict.accepted.tolist() == [True, False, False, True]
    assert verdict.where[:3] == ("left", "left", "right")


def test_a_tool_that_leaves_the_workspace_is_rejected(robot) -> None:
    q = still(robot)
    q[1, :, 1] = np.linspace(0.0, 1.0, H)  # the left arm leans forward, down through the table
    verdict = about(judge(robot, q), RejectionReason.WORKSPACE)
    assert verdict.accepted.tolist() == [True, False, True, True]
    assert verdict.where[1] == "left"
    step = verdict.first_bad_step[1]
    floor = robot.rig.workspace.lower[2]
    height = robot.forward_kinematics(q[1])[0][:, 0, 2]
    assert height[step] < floor <= height[step - 1]


def test_arms_that_cross_on_the_way_are_rejected_though_both_ends_are_clear(robot) -> None:
    q = still(robot)
    measured = robot.rig.home.copy()
    measured[[0, 6]] = -0.4, 1.1
    q[0] = measured
    q[1] = measured
    q[1, 5:, [0, 6]] = [[-1.1], [0.6]]  # between steps 4 and 5 one arm sweeps through the other
    reason = RejectionReason.INTER_ARM_COLLISION
    ends = robot.collisions(q[1], np.full((H, 2), 0.08))
    assert ends.inter_arm_distance.min() > 0.02
    verdict = about(judge(robot, q[:2], measured=measured), reason)
    assert verdict.accepted.tolist() == [True, False]
    assert verdict.first_bad_step[1] == 5
    assert "left_" in verdict.where[1]
    assert "right_" in verdict.where[1]
    assert "over -0.01 m deep, first at step 5" in verdict.sentence(1)


@pytest.mark.parametrize("past", [-1e-4, 1e-4])
def test_a_clearance_rejects_below_and_accepts_above(robot, past: float) -> None:
    near = robot.rig.home.copy()
    near[[0, 6]] = -0.6, 0.6
    q = np.tile(near, (1, H, 1))
    gap = robot.collisions(near[None], np.full((1, 2), 0.08)).inter_arm_distance[0]
    settings = KinematicFilterSettings(inter_arm_clearance=float(gap) + past)
    verdict = about(
        judge(robot, q, settings=settings, measured=near), RejectionReason.INTER_ARM_COLLISION
    )
    assert verdict.accepted.tolist() == [past < 0]


def test_an_arm_that_folds_onto_itself_is_rejected(robot) -> None:
    q = still(robot)
    q[3, 2:, 8] = 1.5
    verdict = about(judge(robot, q), RejectionReason.SELF_COLLISION)
    assert verdict.accepted.tolist() == [True, True, True, False]
    assert verdict.where[3].count("right_") == 2
    assert "mm into each other" in verdict.where[3]
    assert verdict.first_bad_step[3] == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_rejects_its_candidate_alone(robot, value: float) -> None:
    q = still(robot)
    chunks, trajectories = case(robot, q)
    broken = chunks.actions.copy()
    broken[1, 4, 13] = value
    start = robot.hand_poses(robot.rig.home, OPEN)
    chunks = ActionChunks(broken, chunks.variance, DT, 0, "bundle")
    trajectories = robot.trajectories(chunks, start, robot.rig.home)
    verdicts = KinematicFilter(robot).judge(
        JudgingContext(chunks, trajectories, at_rest(robot.rig.home))
    )
    assert accepted(verdicts).tolist() == [True, False, True, True]
    finite = about(verdicts, RejectionReason.NOT_FINITE)
    assert finite.accepted.tolist() == [True, False, True, True]
    assert finite.where[1] == "right"
    assert finite.first_bad_step[1] <= 4


def test_joints_that_are_nan_reject_by_every_measure_of_joints(robot) -> None:
    q = still(robot)
    q[2, 3, 5] = np.nan
    verdicts = judge(robot, q)
    for reason in (
        RejectionReason.JOINT_POSITION,
        RejectionReason.JOINT_VELOCITY,
        RejectionReason.JOINT_ACCELERATION,
        RejectionReason.JOINT_JERK,
        RejectionReason.SINGULARITY,
        RejectionReason.SELF_COLLISION,
        RejectionReason.WORKSPACE,
    ):
        assert about(verdicts, reason).accepted.tolist() == [True, True, False, True]
    unknown = np.full(D, np.nan)
    assert not accepted(judge(robot, still(robot), measured=unknown)).any()
    assert not accepted(judge(robot, still(robot), velocity=unknown)).any()


def wild(robot: RobotModel, generator: np.random.Generator, count: int = 12) -> np.ndarray:
    """Candidates of which some break every limit and some none."""
    size = np.geomspace(0.001, 3.0, count)[:, None, None]
    return robot.rig.home + size * generator.normal(size=(count, H, D)).cumsum(axis=1) * 0.3


def test_shuffling_candidates_shuffles_verdicts(robot, generator) -> None:
    q, order = wild(robot, generator), generator.permutation(12)
    for one, other in zip(judge(robot, q), judge(robot, q[order]), strict=True):
        np.testing.assert_array_equal(one.measured[order], other.measured)
        assert tuple(one.where[k] for k in order) == other.where
        assert np.array_equal(one.first_bad_step[order], other.first_bad_step)


def test_a_candidate_is_judged_as_if_alone(robot, generator) -> None:
    q = wild(robot, generator)
    for one, other in zip(judge(robot, q), judge(robot, q[7:8]), strict=True):
        np.testing.assert_allclose(one.measured[7:8], other.measured, atol=1e-12)
        assert one.first_bad_step[7] == other.first_bad_step[0]


LIMITS = {
    "ik_position_error": (0.0, 0.1),
    "ik_rotation_error": (0.0, 1.0),
    "joint_overshoot": (0.0, 3.0),
    "velocity_fraction": (0.2, 2.0),
    "acceleration_fraction": (0.2, 5.0),
    "jerk_fraction": (0.2, 9.0),
    "rate_slowdown": (1.0, 3.0),
    "seam_fraction": (0.02, 2.0),
    "condition_limit": (5.0, 1e4),
    "start_jump": (0.01, 2.0),
    "self_clearance": (0.1, 0.0),
    "inter_arm_clearance": (0.3, 0.0),
    "workspace_overshoot": (0.0, 0.5),
    "gripper_overshoot": (0.0, 0.1),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_looser_limit_never_rejects_more(robot, settings, generator, name: str) -> None:
    q = wild(robot, generator)
    width = 0.045 + generator.normal(size=(12, H, 2)) * 0.03
    chunks, trajectories = case(robot, q, width)
    errors = generator.uniform(0.0, 0.05, size=(2, 12, H, 2))
    trajectories = replace(trajectories, ik_position_error=errors[0], ik_rotation_error=errors[1])
    passed = []
    for share in (0.0, 0.1, 0.3, 1.0):
        tight, loose = LIMITS[name]
        some = replace(settings, condition_slow=1.0, **{name: tight + share * (loose - tight)})
        verdicts = KinematicFilter(robot, some).judge(
            JudgingContext(chunks, trajectories, at_rest(robot.rig.home))
        )
        passed.append(np.stack([verdict.accepted for verdict in verdicts]))
    for tighter, looser in pairwise(passed):
        assert not (tighter & ~looser).any()
    assert passed[-1].sum() > passed[0].sum()


def test_noise_of_a_learned_model_is_accepted(robot, generator) -> None:
    """Waypoints 5 to 10 mm and 2 degrees off at 5 Hz, along an ordinary reach."""
    share = np.sin(0.5 * np.pi * np.arange(1, 13) / 12)[None, :, None]
    goal = robot.rig.home + 0.35 * generator.normal(size=(8, 1, D))
    q = robot.rig.home + share * (goal - robot.rig.home)
    clean = robot.hand_poses(q, np.full((8, 12, 2), 0.05))
    start = robot.hand_poses(robot.rig.home, OPEN)
    noisy = actions.pack(clean)
    noisy += generator.normal(size=noisy.shape) * np.tile([0.007] * 3 + [0.03] * 6 + [0.003], 2)
    relative = actions.difference(start, actions.unpack(noisy))
    chunks = ActionChunks(relative, np.ones_like(relative), DT, 0, "bundle")
    trajectories = robot.trajectories(chunks, start, robot.rig.home)
    verdicts = KinematicFilter(robot).judge(
        JudgingContext(chunks, trajectories, at_rest(robot.rig.home))
    )
    assert accepted(verdicts).sum() >= 6, [verdict.measured for verdict in verdicts]


MIRROR = np.tile([-1.0, 1.0, 1.0, -1.0, 1.0, -1.0], 2)  # rolls and yaws turn around


def mirrored(q: np.ndarray) -> np.ndarray:
    """Return joints (..., D) of the same motion in a mirror: x reflected, the arms swapped."""
    return (q * MIRROR).reshape(*q.shape[:-1], 2, 6)[..., ::-1, :].reshape(q.shape)


def test_mirrored_motions_get_mirrored_verdicts(robot, generator) -> None:
    q, width = wild(robot, generator), 0.045 + generator.normal(size=(12, H, 2)) * 0.03
    one = judge(robot, q, width, velocity=np.arange(D) * 0.1)
    velocity = mirrored(np.arange(D) * 0.1)
    other = judge(robot, mirrored(q), width[..., ::-1], velocity=velocity)
    for here, there in zip(one, other, strict=True):
        np.testing.assert_allclose(here.measured, there.measured, atol=1e-5, rtol=1e-6)
        np.testing.assert_array_equal(here.accepted, there.accepted)
        np.testing.assert_array_equal(here.first_bad_step, there.first_bad_step)
        np.testing.assert_allclose(here.slowdown, there.slowdown, rtol=1e-6)
        bad = ~here.accepted & (np.arange(12) > 0)
        for k in np.flatnonzero(bad & (here.measured > 0.0)):
            if " - " not in here.where[k]:  # of two pairs just as near either may be named
                assert swapped(here.where[k]) == there.where[k]


def swapped(where: str) -> str:
    return where.replace("left", "?").replace("right", "left").replace("?", "right")


RATES = {
    RejectionReason.JOINT_VELOCITY,
    RejectionReason.JOINT_ACCELERATION,
    RejectionReason.JOINT_JERK,
}


def test_the_same_way_done_slower_never_measures_worse(robot, generator) -> None:
    q = wild(robot, generator)
    for fast, slow in pairwise(judge(robot, q, dt=dt) for dt in (0.05, 0.1, 0.2, 0.25, 1.0)):
        for one, other in zip(fast, slow, strict=True):
            if one.reason in RATES:
                assert (other.measured < one.measured).all()
                assert not (one.accepted & ~other.accepted).any()


@pytest.mark.parametrize("reason", ["JOINT_VELOCITY", "JOINT_ACCELERATION", "JOINT_JERK"])
def test_what_is_too_fast_is_carried_out_just_slow_enough(robot, reason: str) -> None:
    reason = RejectionReason(reason)
    fast = only(robot, reason)
    (measured,) = about(judge(robot, **fast), reason).measured
    assert measured > 1.0
    slower = about(judge(robot, **fast, settings=KinematicFilterSettings()), reason)
    assert slower.accepted[0] and slower.slowdown[0] > 1.0
    assert "times slower" in slower.sentence(0)
    dt = fast.get("dt", DT) * slower.slowdown[0]
    (again,) = about(judge(robot, **{**fast, "dt": dt}), reason).measured
    assert again == pytest.approx(1.0)


@pytest.mark.parametrize(("most", "accepted"), [(1.9, False), (2.1, True)])
def test_what_is_far_too_fast_is_rejected(robot, most: float, accepted: bool) -> None:
    q = still(robot, 1)
    q[0, 4:, 8] -= 2.0 * robot.velocity_limit[8] * DT
    verdict = about(
        judge(robot, q, settings=KinematicFilterSettings(rate_slowdown=most)),
        RejectionReason.JOINT_VELOCITY,
    )
    assert verdict.accepted[0] == accepted
    assert verdict.slowdown[0] == pytest.approx(2.0 if accepted else 1.0)


def test_between_both_thresholds_of_singularity_the_plan_is_slower(robot) -> None:
    q = still(robot, 3)
    # The wrist is singular where joint 5 lines the axes of joints 4 and 6 up.
    for k, bend in enumerate((1.5, 0.2, 0.01)):
        q[k, :, 10] = bend
    verdict = about(judge(robot, q), RejectionReason.SINGULARITY)
    settings = KinematicFilterSettings()
    condition = verdict.measured
    assert condition[0] < settings.condition_slow < condition[1] < settings.condition_limit
    assert verdict.accepted.tolist() == [True, True, False]
    assert verdict.where[1:] == ("right", "right")
    assert verdict.slowdown[0] == 1.0
    assert 1.0 < verdict.slowdown[1] < settings.singular_slowdown
    assert f"if carried out {verdict.slowdown[1]:.1f} times slower" in verdict.sentence(1)
    with pytest.raises(ConfigurationError, match="condition_slow 60"):
        from_mapping(KinematicFilterSettings, {"condition_slow": 60.0})


def test_a_robot_without_a_jerk_limit_says_so(robot, tmp_path, caplog) -> None:
    folder = robot.rig.urdf.parent
    text = (folder / "simulated_bimanual.yaml").read_text()
    for name in ("simulated_bimanual.urdf", "simulated_bimanual.srdf"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "rig.yaml").write_text(text.replace("  jerk: 150.0\n", ""))
    with caplog.at_level("INFO", "wm_planner"):
        free = RobotModel(find_rig(tmp_path / "rig.yaml"))
    assert "limits.jerk in the rig file limits the jerk of left_joint_1" in caplog.text
    q = still(robot)
    q[:, 3, 0] += 2.0
    verdict = about(judge(free, q), RejectionReason.JOINT_JERK)
    assert verdict.accepted.all()
    assert "of inf rad/s^3" in verdict.sentence(0)
    q[1, 4] = np.nan
    assert not about(judge(free, q), RejectionReason.JOINT_JERK).accepted[1]


def posed(robot: RobotModel, offset: dict[int, float]) -> dict[str, Any]:
    """Arguments of `judge` for one candidate that stands still away from home."""
    posture = robot.rig.home.copy()
    posture[list(offset)] += list(offset.values())
    return {"q": np.tile(posture, (1, H, 1)), "measured": posture}


def along(robot: RobotModel, joint: int, way: list[float], start: float = 0.0) -> dict[str, Any]:
    """Arguments of `judge` for one candidate that moves one joint alone."""
    arguments = posed(robot, {joint: start})
    arguments["q"][0, : len(way), joint] += way
    arguments["q"][0, len(way) :, joint] += way[-1]
    return arguments


def only(robot: RobotModel, reason: RejectionReason) -> dict[str, Any]:
    """Arguments of `judge` for one candidate that breaks one limit and no other."""
    at_limit = posed(robot, {5: robot.position_upper[5] - robot.rig.home[5]})
    return {
        RejectionReason.JOINT_POSITION: {**at_limit, "q": at_limit["q"] + 0.01 * np.eye(D)[5]},
        RejectionReason.START_STATE: {**along(robot, 3, [1.2]), "dt": 1.0},
        RejectionReason.SEAM: {"q": still(robot, 1), "velocity": 5.5 * np.eye(D)[4]},
        RejectionReason.JOINT_VELOCITY: along(robot, 5, [0.5, 1.54, 2.06], start=-2.0),
        RejectionReason.JOINT_ACCELERATION: along(robot, 5, [0, 0, 0.64, 1.28, 1.6]),
        RejectionReason.JOINT_JERK: {
            **along(robot, 5, [0, 0, 0.03, -0.03, 0.03, -0.03, 0, 0]),
            "dt": 0.1,
        },
        RejectionReason.SINGULARITY: posed(robot, {10: 0.1 - robot.rig.home[10]}),
        RejectionReason.GRIPPER_RANGE: {"q": still(robot, 1), "width": 0.13},
        RejectionReason.SELF_COLLISION: posed(robot, {6: -0.1, 8: 0.9, 9: -0.2, 10: 0.1}),
        RejectionReason.INTER_ARM_COLLISION: posed(robot, {0: -0.9, 6: 0.9}),
        RejectionReason.WORKSPACE: posed(robot, {6: 0.1, 7: 0.8, 8: 0.1, 10: -0.2, 11: -0.1}),
    }[reason]


SENTENCES = {
    RejectionReason.JOINT_POSITION: "joint position 0.01 rad or m past its limit at left_joint_6",
    RejectionReason.START_STATE: "start state 1.2 rad or m at left_joint_4 is over 1 rad or m",
    RejectionReason.SEAM: "seam 1.1 of its limit at left_joint_5 (5.5 of 5 rad/s) is over 1 of",
    RejectionReason.JOINT_VELOCITY: "velocity 1.04 of its limit at left_joint_6 (5.2 of 5 rad/s)",
    RejectionReason.JOINT_ACCELERATION: "1.067 of its limit at left_joint_6 (16 of 15 rad/s^2)",
    RejectionReason.JOINT_JERK: "jerk 1.6 of its limit at left_joint_6 (240 of 150 rad/s^3)",
    RejectionReason.SINGULARITY: "times harder one way than another at right is over 50 times",
    RejectionReason.GRIPPER_RANGE: "gripper range 0.04 m past its range at left is over 0.02 m",
    RejectionReason.SELF_COLLISION: "at right_base - right_finger_link_1 (31.9 mm into each other)",
    RejectionReason.INTER_ARM_COLLISION: "left_link_5 - right_link_5 (49.7 mm into each other)",
    RejectionReason.WORKSPACE: "workspace 0.05642 m outside at right is over 0 m outside, first at",
}


@pytest.mark.parametrize("reason", SENTENCES)
def test_each_reason_can_reject_alone_and_says_so(robot, reason: RejectionReason) -> None:
    verdicts = judge(robot, **only(robot, reason))
    objections = [verdict for verdict in verdicts if not verdict.accepted[0]]
    assert [verdict.reason for verdict in objections] == [reason]
    sentence = objections[0].sentence(0)
    assert SENTENCES[reason] in sentence
    assert f"first at step {objections[0].first_bad_step[0]} (kinematic)" in sentence


def test_shapes_that_do_not_fit_are_refused(robot) -> None:
    chunks, trajectories = case(robot, still(robot))
    shorter, _ = case(robot, still(robot)[:, 1:])
    with pytest.raises(ShapeError, match="expected"):
        KinematicFilter(robot).judge(JudgingContext(shorter, trajectories, at_rest(robot.rig.home)))
    with pytest.raises(ShapeError, match=r"measured joints \(11,\)"):
        KinematicFilter(robot).judge(
            JudgingContext(chunks, trajectories, at_rest(robot.rig.home[1:]))
        )

"""The kinematic filter: every limit from both sides, and the laws of all filters."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from wm_planner import actions, registry
from wm_planner.errors import ConfigurationError, ShapeError
from wm_planner.filters.kinematic_filter import KinematicFilter, KinematicFilterSettings
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import describe, from_mapping
from wm_planner.types import ActionChunks, JointTrajectories, RejectionReason, Verdicts

DT, K, H, D = 0.2, 4, 8, 12
OPEN = np.full(2, 0.08)


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


def judge(robot, q, width=0.08, settings=None, measured=None) -> tuple[Verdicts, ...]:
    chunks, trajectories = case(robot, q, width)
    measured = robot.rig.home if measured is None else measured
    return KinematicFilter(robot, settings).judge(chunks, trajectories, measured)


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
    assert {verdict.reason for verdict in verdicts} == set(RejectionReason)
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
    assert verdict.where[2] == "right_joint_3"
    assert verdict.first_bad_step[2] == (4 if past > 0 else -1)


@pytest.mark.parametrize("past", [-1e-2, 1e-2])
def test_an_acceleration_limit_holds_at_waypoints(robot, past: float) -> None:
    q = still(robot)
    # Two steps at most, since at this acceleration a third would be too fast.
    q[1, 5:, 0] += (robot.acceleration_limit[0] + past) * DT**2 * 0.5
    q[1, 6:, 0] -= (robot.acceleration_limit[0] + past) * DT**2 * 0.5
    verdict = about(judge(robot, q), RejectionReason.JOINT_ACCELERATION)
    assert verdict.accepted.tolist() == [True, past < 0, True, True]
    assert verdict.where[1] == "left_joint_1"
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
    verdicts = KinematicFilter(robot).judge(chunks, trajectories, robot.rig.home)
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
    ends_only = KinematicFilterSettings(collision_samples=1)
    assert about(judge(robot, q[:2], settings=ends_only, measured=measured), reason).accepted.all()
    verdict = about(judge(robot, q[:2], measured=measured), reason)
    assert verdict.accepted.tolist() == [True, False]
    assert verdict.first_bad_step[1] == 5
    assert verdict.measured[1] > 0.0
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
    verdicts = KinematicFilter(robot).judge(chunks, trajectories, robot.rig.home)
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
        RejectionReason.SELF_COLLISION,
        RejectionReason.WORKSPACE,
    ):
        assert about(verdicts, reason).accepted.tolist() == [True, True, False, True]
    unknown = np.full(D, np.nan)
    assert not accepted(judge(robot, still(robot), measured=unknown)).any()


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
        some = replace(settings, **{name: tight + share * (loose - tight)})
        verdicts = KinematicFilter(robot, some).judge(chunks, trajectories, robot.rig.home)
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
    verdicts = KinematicFilter(robot).judge(chunks, trajectories, robot.rig.home)
    assert accepted(verdicts).sum() >= 6, [verdict.measured for verdict in verdicts]


def test_shapes_that_do_not_fit_are_refused(robot) -> None:
    chunks, trajectories = case(robot, still(robot))
    shorter, _ = case(robot, still(robot)[:, 1:])
    with pytest.raises(ShapeError, match="expected"):
        KinematicFilter(robot).judge(shorter, trajectories, robot.rig.home)
    with pytest.raises(ShapeError, match=r"measured joints \(11,\)"):
        KinematicFilter(robot).judge(chunks, trajectories, robot.rig.home[1:])

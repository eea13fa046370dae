"""The cycle filter: what the world model does not dream again is rejected, by a unitless cost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from wm_planner import actions, registry
from wm_planner.assembly import load_bundles, load_config, open_inverse_dynamics, open_world_model
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL
from wm_planner.errors import ShapeError
from wm_planner.filters.cycle_filter import CycleFilter, CycleFilterSettings
from wm_planner.filters.filter import JudgingContext
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import describe
from wm_planner.types import (
    ActionChunks,
    Goal,
    JointTrajectories,
    Need,
    ObservationWindow,
    RejectionReason,
    Resimulation,
    Rollouts,
    StartState,
    Verdicts,
)

K, H, SHAPE = 4, 10, (3, 8)
OFF = np.array([0.0, 0.1, 0.3, 0.6])  # of candidate k from what was simulated, from step k on


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel(find_rig("simulated_bimanual"))


@pytest.fixture
def resimulation(generator) -> Resimulation:
    dreamed = generator.normal(size=(K, H, *SHAPE))
    late = np.arange(H) >= np.arange(K)[:, None]
    simulated = dreamed + (OFF[:, None] * late)[..., None, None]
    newest = generator.normal(size=SHAPE)
    return Resimulation(rollouts_of(dreamed), rollouts_of(simulated), newest / newest.std())


def rollouts_of(latents: np.ndarray) -> Rollouts:
    return Rollouts(latents, 0.2, 0, 0, "bundle")


def judge(robot, resimulation: Resimulation, **settings) -> Verdicts:
    count, steps = resimulation.dreamed.latents.shape[:2]
    chunks = ActionChunks(*np.zeros((2, count, steps, 20)), 0.2, 0, "bundle")
    paths = JointTrajectories(*np.zeros((2, count, steps, 12)), *np.zeros((3, count, steps, 2)))
    start = StartState(robot.rig.home, np.zeros(12))
    made = CycleFilter(robot, replace(CycleFilterSettings(), **settings))
    (verdict,) = made.judge(JudgingContext(chunks, paths, start, resimulation))
    return verdict


def rows(resimulation: Resimulation, order) -> Resimulation:
    dreamed, simulated = resimulation.dreamed, resimulation.rollouts
    return replace(
        resimulation,
        dreamed=replace(dreamed, latents=dreamed.latents[order]),
        rollouts=replace(simulated, latents=simulated.latents[order]),
    )


def test_it_is_registered_documented_and_says_what_it_needs() -> None:
    assert registry.resolve("filters", "cycle") is CycleFilter
    assert CycleFilter.needs is Need.ROLLOUTS
    assert all(info.help for info in describe(CycleFilterSettings))


def test_the_cost_is_how_far_apart_frames_are(robot, resimulation) -> None:
    verdict = judge(robot, resimulation, limit=0.2)
    assert verdict.reason is RejectionReason.CYCLE_INCONSISTENT
    np.testing.assert_allclose(verdict.measured, OFF, atol=2e-3)  # float16 latents
    assert verdict.accepted.tolist() == [True, True, False, False]
    assert verdict.first_bad_step.tolist() == [-1, -1, 2, 3]
    told = verdict.sentence(3)
    assert told.startswith("candidate 3: cycle inconsistent 0.6")
    assert told.endswith(" is over 0.2, first at step 3 (cycle)")


def test_steps_that_do_not_count_do_not_reject(robot, resimulation) -> None:
    assert judge(robot, resimulation, limit=0.2, steps=3).accepted.tolist() == [
        *(True, True, False, True)
    ]


@pytest.mark.parametrize("unit", [0.125, 8.0])
def test_the_unit_of_the_latents_does_not_matter(robot, resimulation, unit) -> None:
    scaled = Resimulation(
        rollouts_of(unit * resimulation.dreamed.latents.astype(float)),
        rollouts_of(unit * resimulation.rollouts.latents.astype(float)),
        unit * resimulation.newest,
    )
    one, other = judge(robot, resimulation), judge(robot, scaled)
    np.testing.assert_allclose(other.measured, one.measured, rtol=1e-3)


def test_a_looser_limit_never_rejects_more(robot, resimulation) -> None:
    passed = [judge(robot, resimulation, limit=limit).accepted for limit in (0.0, 0.2, 0.4, 1.0)]
    for tighter, looser in pairwise(passed):
        assert not (tighter & ~looser).any()
    assert passed[-1].sum() > passed[0].sum()


def test_shuffled_candidates_get_shuffled_verdicts(robot, resimulation, generator) -> None:
    order = generator.permutation(K)
    one, other = judge(robot, resimulation), judge(robot, rows(resimulation, order))
    np.testing.assert_array_equal(one.measured[order], other.measured)
    np.testing.assert_array_equal(one.first_bad_step[order], other.first_bad_step)


def test_a_dream_that_is_not_finite_is_rejected_and_leaves_the_others(robot, resimulation) -> None:
    broken = resimulation.dreamed.latents.astype(float)
    broken[1, 4, 0, 0] = np.inf
    verdict = judge(robot, replace(resimulation, dreamed=rollouts_of(broken)), limit=1.0)
    assert verdict.accepted.tolist() == [True, False, True, True]
    assert verdict.first_bad_step[1] == 4


def test_dreams_and_simulations_must_pair_up(resimulation) -> None:
    fewer = rows(resimulation, [0, 1]).rollouts
    with pytest.raises(ShapeError, match=r"dreams are \(4, 10, 3, 8\), simulated were \(2, 10"):
        replace(resimulation, rollouts=fewer)


@pytest.mark.slow
def test_dreams_whose_actions_were_replaced_cost_more(robot) -> None:
    """With the shipped models: the replaced actions lead both hands 10 cm astray by the end."""
    config = load_config()
    bundles = load_bundles(config, robot.rig)
    model = open_world_model(config, bundles[WORLD_MODEL])
    inverse = open_inverse_dynamics(config, bundles[INVERSE_DYNAMICS])
    rig = MujocoRig(description=robot.rig)
    rig.reset("pick_lift", 900_000)
    seen, spec = rig.observe(), model.spec
    rig.close()
    twice = {
        name: np.stack([getattr(seen, name)] * 2)
        for name in ("joint_position", "joint_velocity", "gripper_width")
    }
    images = {spec.camera: np.stack([seen.images[spec.camera]] * 2)}
    stamps = np.array([0, round(spec.dt * 1e9)])
    window = ObservationWindow(
        stamps_ns=stamps, images=images, actions=np.zeros((1, 20)), dt=spec.dt, **twice
    )
    hands = robot.hand_poses(seen.joint_position, seen.gripper_width)
    newest = model.look(images[spec.camera][-1:])

    def dream(instruction: str) -> tuple[Rollouts, ActionChunks]:
        dreamed = model.imagine(window, Goal(instruction), 4, np.random.default_rng(1))
        frames = np.concatenate([np.stack([newest] * 4), dreamed.latents], axis=1)
        made = (hands, dreamed.dt, dreamed.start_ns, spec.bundle_hash)
        return dreamed, inverse.invert(frames, *made)

    def cost(dreamed: Rollouts, chunks: ActionChunks) -> np.ndarray:
        simulated = model.simulate(window, hands, chunks, np.random.default_rng(2))
        return judge(robot, Resimulation(dreamed, simulated, newest[0])).measured

    dreamed, own = dream(rig.instructions("pick_lift")[0])
    targets = actions.integrate(hands, own.actions)
    drift = np.linspace(0.0, 0.1, spec.horizon)[:, None, None]  # (H, hands, axes)
    astray = replace(targets, position=targets.position + drift)
    replaced = replace(own, actions=actions.difference(hands, astray))
    assert (cost(dreamed, replaced) > 1.3 * cost(dreamed, own)).all()

"""Candidates are tried without changing the episode, and everything known of them is noted."""

from __future__ import annotations

import numpy as np
import pytest
from painted_rig import PaintedRig, home_and_lifted, make_stack
from scipy.spatial.transform import Rotation

from wm_planner.closed_loop import run_episode
from wm_planner.closed_loop.executability import CandidateTester, deviation
from wm_planner.types import Goal, HandPoses

GOAL = Goal("lift both hands")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def tested(stack):
    tester, rig = CandidateTester(stack, every=2, steps=4, executed=2), PaintedRig()
    result = run_episode(stack, rig, [GOAL], "lift", 3, chooser=tester)
    return tester.tried, result, rig.commands


def test_that_trying_changes_nothing(stack, tested):
    _, result, commands = tested
    rig = PaintedRig()
    plain = run_episode(stack, rig, [GOAL], "lift", 3)
    assert (plain.success, plain.plans) == (result.success, result.plans)
    for one, other in zip(commands, rig.commands, strict=True):
        np.testing.assert_array_equal(one.joint_position, other.joint_position)


def test_that_all_candidates_of_every_second_plan_are_there(stack, tested):
    tried, result, _ = tested
    plans = (result.plans + 1) // 2
    count = stack.planner.settings.candidates
    assert [one.plan for one in tried] == sorted(list(range(plans)) * count)
    assert [one.candidate for one in tried] == list(range(count)) * plans
    chosen = [one for one in tried if one.chosen]
    assert len(chosen) == plans and not any(one.rejected for one in chosen)


def test_that_what_came_of_them_fits_together(stack, tested):
    tried, _, _ = tested
    first = [one for one in tried if one.plan == 0]
    assert all(one.refused == "" for one in first)
    assert all(0 < one.gained_m < 0.5 for one in first)  # all of them lift
    assert all(0 < one.behind_m < 0.1 for one in first)
    for one in tried:
        assert one.executable(one.position_m, one.rotation_rad)
        assert not one.executable(one.position_m - 1e-6, one.rotation_rad)
        assert not one.executable(one.position_m, one.rotation_rad - 1e-6)


def test_that_scores_and_verdicts_are_noted_whatever_they_are(stack, tested):
    known = tested[0][0].known
    assert {"score value", "score image_goal", "kinematic IK_RESIDUAL", "kinematic SEAM"} <= {
        *known
    }
    assert {"stated position error", "path roughness", "unlike the others"} <= {*known}
    assert all(one.known.keys() == known.keys() for one in tested[0])


def test_that_deviations_are_those_of_the_worse_hand_and_step():
    home, _ = home_and_lifted()
    targets = HandPoses(*(np.stack([value] * 3) for value in vars(home).values()))
    assert deviation(targets, targets) == pytest.approx((0, 0), abs=1e-6)
    position, rotation = targets.position.copy(), targets.rotation.copy()
    position[1, 0] += [0.03, 0.0, 0.04]
    position[2, 1, 0] += 0.01
    rotation[0, 1] = Rotation.from_rotvec([0, 0.2, 0]).as_matrix() @ rotation[0, 1]
    moved = HandPoses(position, rotation, targets.width)
    assert deviation(moved, targets) == pytest.approx((0.05, 0.2))

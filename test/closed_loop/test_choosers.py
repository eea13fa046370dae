"""Chance draws from what was accepted; an oracle foretells what happens, and leaves no trace."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from painted_mujoco_rig import PaintedMujocoRig
from painted_rig import PaintedRig, make_stack

from wm_planner.closed_loop import EpisodeSettings, run_episode
from wm_planner.closed_loop.choosers import (
    Chooser,
    OracleChooser,
    RandomChooser,
    make_chooser,
    rank,
)
from wm_planner.closed_loop.trials import Trial
from wm_planner.types import Goal

GOAL = Goal("lift both hands")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return make_stack(tmp_path_factory.mktemp("stack"))


def trial(succeeded, left, refusal=""):
    return Trial(refusal, np.array(succeeded, bool), np.array(left, float), None)


def report(total, start_ns=1_000):
    accepted = np.flatnonzero(np.isfinite(total))
    rollouts = SimpleNamespace(start_ns=start_ns)
    return SimpleNamespace(
        accepted=accepted, total_score=total, rollouts=rollouts, plan_of=lambda k: k
    )


def test_that_success_counts_before_nearness_and_early_before_late():
    best_first = [
        trial([0, 1, 1], [0.2, 0, 0]),
        trial([0, 0, 1], [0.2, 0.1, 0]),
        trial([1, 1, 0], [0, 0, 0.01]),  # it did not last
        trial([0, 0, 0], [0.01, 0.01, 0.02]),
        trial([], [], refusal="it is over"),
    ]
    ranks = [rank(one) for one in best_first]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_that_the_oracle_takes_what_came_nearest_whatever_the_scores_say():
    left = {0: 0.3, 2: 0.1, 3: 0.2}
    trials = SimpleNamespace(run=lambda k, steps: trial([0] * steps, [left[k]] * steps))
    total = np.array([9.0, np.nan, 1.0, 5.0])
    assert OracleChooser(4).choose(report(total), lambda: trials, 0) == 2
    left[3] = 0.1
    assert OracleChooser(4).choose(report(total), lambda: trials, 0) == 3  # of equals, by score


def test_that_chance_depends_on_seed_and_frame_alone_and_reaches_all_that_are_accepted():
    total = np.array([1.0, np.nan, 2.0, 3.0])

    def draw(seed, stamp):
        return RandomChooser().choose(report(total, stamp), None, seed)

    drawn = [draw(seed, stamp) for seed in range(20) for stamp in range(20)]
    assert drawn == [draw(seed, stamp) for seed in range(20) for stamp in range(20)]
    counts = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(counts, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.08)


def test_that_a_trial_foretells_the_episode_to_the_bit(stack):
    """Physics, controllers and executor are tried as they are afterwards used."""
    steps = stack.planner.settings.execute_steps
    foretold, begins, seen, rig = [], [], [], PaintedMujocoRig()

    class Foretelling(Chooser):
        def choose(self, report, trials, seed):
            here = trials()
            for k in report.accepted:  # the chosen one in between the others
                if k != report.plan.candidate:
                    here.run(report.plan_of(int(k)), steps + 2)
                else:
                    foretold.append(here.run(report.plan, steps))
            begins.append(len(seen))
            return report.plan.candidate

    def watch(observation, report):
        if report is None:
            hands = stack.robot.hand_poses(observation.joint_position, observation.gripper_width)
            seen.append((hands.position, hands.width, rig.way_left()))

    settings = EpisodeSettings(time_limit_s=2.5)
    chosen = run_episode(stack, rig, [GOAL], "reach", 3, settings, watch, chooser=Foretelling())
    assert chosen.plans >= 2
    ends = [*begins[1:], len(seen)]
    for one, begin, end in zip(foretold, begins, ends, strict=True):
        assert 0 < end - begin <= steps
        for step, (position, width, left) in enumerate(seen[begin:end]):
            np.testing.assert_array_equal(one.hands.position[step], position)
            np.testing.assert_array_equal(one.hands.width[step], width)
            assert one.way_left[step] == left
    frames = len(seen)
    run_episode(stack, rig, [GOAL], "reach", 3, settings, watch)
    for one, other in zip(seen[:frames], seen[frames:], strict=True):  # trials left no trace
        np.testing.assert_array_equal(one[0], other[0])
    rig.close()


@pytest.mark.parametrize("choice", ["random", "oracle"])
def test_that_episodes_go_on_with_what_was_chosen(stack, choice):
    chosen = []

    def watch(observation, report):
        if report is not None:
            chosen.append(report.plan.candidate)
            np.testing.assert_array_equal(
                report.plan.actions, report.chunks.actions[report.plan.candidate]
            )

    chooser = make_chooser(choice, 3)
    result = run_episode(stack, PaintedRig(), [GOAL], "lift", 3, watch=watch, chooser=chooser)
    assert result.success and result.plans == len(chosen)

"""Restarts: what was good is kept, and the reason steers the rest."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.errors import DataError
from wm_planner.planner.regeneration import CHANGES, Change, restart
from wm_planner.types import RejectionReason, Restart, Rollouts, Verdicts

K, H = 4, 6


@pytest.fixture
def rollouts(generator) -> Rollouts:
    return Rollouts(generator.normal(size=(K, H, 2, 3)), 0.2, 0, 0, "bundle")


def verdict(reason: RejectionReason, *first_bad_step: int) -> Verdicts:
    step = np.array(first_bad_step)
    return Verdicts("test", reason, (step >= 0) * 1.0, 0.5, "", ("",) * K, step)


def test_frames_before_the_earliest_bad_step_are_kept(rollouts) -> None:
    verdicts = [
        verdict(RejectionReason.IK_RESIDUAL, -1, 4, 5, -1),
        verdict(RejectionReason.SINGULARITY, -1, 2, -1, 0),
    ]
    again = restart(rollouts, verdicts, np.array([1, 2, 3]), 1)
    assert again.kept.tolist() == [2, 5, 0]
    np.testing.assert_array_equal(again.latents, rollouts.latents[1:])
    assert again.kept_frames.sum(axis=1).tolist() == [2, 5, 0]


def test_the_first_reason_steers_and_no_other(rollouts, monkeypatch) -> None:
    monkeypatch.setitem(CHANGES, RejectionReason.JOINT_JERK, Change(2, 0.5, 1.5))
    jerk, far = RejectionReason.JOINT_JERK, RejectionReason.IK_RESIDUAL
    both = [verdict(jerk, 5, 1, -1, -1), verdict(far, 3, -1, 4, -1)]
    again = restart(rollouts, both, np.array([0, 1, 2]), 1)
    assert again.kept.tolist() == [1, 0, 4]  # two steps back, but not before the first
    assert restart(rollouts, both, np.array([0]), 2).kept.tolist() == [0]  # and two more
    assert again.noise.tolist() == [0.5, 0.5, 1.0]
    assert again.guidance.tolist() == [1.5, 1.5, 1.0]


def test_nothing_is_kept_of_a_dream_that_no_filter_objects_to(rollouts) -> None:
    """Its score is no number: no step is to blame."""
    accepted = verdict(RejectionReason.WORKSPACE, *[-1] * K)
    again = restart(rollouts, [accepted], np.array([2]), 1)
    assert again.kept.tolist() == [0]
    assert again.noise.tolist() == again.guidance.tolist() == [1.0]


def test_more_frames_than_there_are_cannot_be_kept(rollouts) -> None:
    ones = np.ones(K)
    with pytest.raises(DataError, match="expected 0 to 6 frames"):
        Restart(rollouts.latents, np.full(K, H + 1), ones, ones)

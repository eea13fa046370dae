"""Guidance: which evaluations a dream is made of."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.world_models.guidance import guidance_terms

CONDITIONS = {
    "words": np.array([[1.0, 0.0]]),
    "goal": np.array([[3.0]]),
    "goal_given": np.array([[1.0]]),
    "targets": np.array([[[5.0]]]),
    "targets_given": np.array([[0.0]]),
    "outcome": np.array([1]),
}


def test_that_without_weights_there_is_one_evaluation():
    (term,) = guidance_terms(CONDITIONS, {"instruction": 1.0, "goal": 1.0})
    assert term.weight == 1.0 and term.conditions is CONDITIONS


def test_that_each_condition_is_left_out_alone():
    weights = {"instruction": 3.0, "goal": 1.5, "actions": 2.0, "outcome": 1.0}
    whole, no_words, no_goal = guidance_terms(CONDITIONS, weights)  # no actions are given
    assert (whole.weight, no_words.weight, no_goal.weight) == (3.5, -2.0, -0.5)
    assert not no_words.conditions["words"].any() and no_words.conditions["goal_given"].all()
    assert not no_goal.conditions["goal_given"].any() and no_goal.conditions["words"].any()
    assert CONDITIONS["words"].any()  # what was given is not changed


def test_that_candidates_may_have_weights_of_their_own():
    whole, without = guidance_terms(CONDITIONS, {"instruction": np.array([1.0, 3.0])})
    np.testing.assert_array_equal(whole.weight, [1.0, 3.0])
    np.testing.assert_array_equal(without.weight, [0.0, -2.0])


@pytest.mark.parametrize("weight", [0.0, 0.3, 4.0])
def test_that_the_weights_add_up_to_one(weight):
    terms = guidance_terms(CONDITIONS, {"instruction": weight, "outcome": weight})
    assert sum(term.weight for term in terms) == pytest.approx(1.0)

"""Pictures of goals: of the scene that was asked for, each with its goal done."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.errors import RigError
from wm_planner.rigs import goal_pictures as module

SEED = 900_003


def test_that_there_is_one_of_each_goal_in_its_scene(rig):
    rig.reset("pick_then_reach", SEED)
    before = rig.render("head")
    lifted, reached = rig.goal_pictures("pick_then_reach", SEED, "head")
    assert rig.succeeded()  # as the expert left it
    np.testing.assert_array_equal(reached, rig.render("head"))
    assert lifted.shape == before.shape and lifted.dtype == np.uint8
    assert (lifted != before).any() and (lifted != reached).any()
    again = rig.goal_pictures("pick_then_reach", SEED, "head")
    for one, other in zip((lifted, reached), again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_that_an_expert_who_never_succeeds_is_told_of(rig, monkeypatch):
    rig.reset("reach", SEED)
    monkeypatch.setattr(type(rig.task), "perform", lambda *_: None)
    said = f"task reach, seed {SEED}: the expert did not succeed in {module.ATTEMPTS} attempts"
    with pytest.raises(RigError, match=said):
        rig.goal_pictures("reach", SEED, "head")

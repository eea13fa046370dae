"""The simulated rig moves as told, holds, refuses nonsense, and shows all its cameras."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.errors import RigError, UnknownNameError
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.types import Command


@pytest.fixture
def rig():
    rig = MujocoRig()
    rig.reset("reach", 900_000)
    yield rig
    rig.close()


def command(rig, change, seconds, width=0.05):
    position = rig.joint_state()[0]
    position = position + change
    due = rig.time_ns + int(seconds * 1e9)
    return Command(due, position, np.zeros(12), np.full(2, width), plan_id=1, step=0)


def test_reaches_a_command_by_its_stamp_and_holds_there(rig):
    wanted = command(rig, 0.2, 1.0)
    rig.apply(wanted)
    rig.step(1.5)
    position, velocity, width = rig.joint_state()
    np.testing.assert_allclose(position, wanted.joint_position, atol=0.02)
    assert np.abs(velocity).max() < 0.05
    np.testing.assert_allclose(width, 0.05, atol=0.003)
    assert rig.time_ns == 1_500_000_000


def test_returns_what_was_really_sent_after_limits(rig):
    sent = rig.apply(command(rig, 50.0, 1.0, width=0.5))
    assert sent.joint_position.max() <= 2.9
    assert sent.gripper_width.tolist() == [0.09, 0.09]


def test_stop_holds_in_the_middle_of_a_motion(rig):
    rig.apply(command(rig, 0.5, 1.0))
    rig.step(0.5)
    rig.stop()
    here = rig.joint_state()[0]
    rig.step(1.0)
    assert np.abs(rig.joint_state()[0] - here).max() < 0.12


def test_every_camera_shows_something_else(rig):
    views = [rig.render(name, 48, 64) for name in ("head", "front", "left_wrist", "right_wrist")]
    for i, view in enumerate(views):
        assert view.std() > 10
        assert all(np.abs(view.astype(int) - o).mean() > 5 for o in views[:i])


def test_unknown_names_list_the_known(rig):
    with pytest.raises(UnknownNameError, match="reach"):
        rig.reset("juggle", 0)
    with pytest.raises(RigError, match="nose"):
        rig.render("nose")

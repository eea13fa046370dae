"""One simulated rig and its kinematics for all tests of a module; every test resets it."""

from __future__ import annotations

import pytest

from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.robot.robot_model import RobotModel


@pytest.fixture(scope="module")
def rig():
    rig = MujocoRig()
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def robot(rig):
    return RobotModel(rig.description)

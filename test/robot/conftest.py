"""Two robots: the simulated rig, and one made up to have everything that is odd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from odd_rig import ODD_URDF, write_odd_rig

from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel


@pytest.fixture
def write_rig(tmp_path: Path) -> Callable[..., Path]:
    """Writes the odd rig file, with changes, into a folder of its own."""
    return lambda changes=None, urdf=ODD_URDF: write_odd_rig(tmp_path, changes or {}, urdf)


@pytest.fixture(scope="session")
def robot() -> RobotModel:
    """The simulated rig."""
    return RobotModel(find_rig("simulated_bimanual"))


@pytest.fixture(scope="session")
def odd_robot(tmp_path_factory: pytest.TempPathFactory) -> RobotModel:
    """The made-up rig."""
    return RobotModel(find_rig(write_odd_rig(tmp_path_factory.mktemp("odd"), {})))


@pytest.fixture(params=["robot", "odd_robot"])
def each_robot(request: pytest.FixtureRequest) -> RobotModel:
    """One robot after the other."""
    return request.getfixturevalue(request.param)

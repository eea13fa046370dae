"""MuJoCo's arms, but the picture is the pose: real joints, controllers and time for tiny models.

Processes find it as another package's rig: `environment_with_painted_rig` makes the entry point.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from painted_rig import ROBOT, home_and_lifted
from tiny_models import HEIGHT, WIDTH, picture

from wm_planner import actions
from wm_planner.rigs.mujoco_rig import MujocoRig

NEAR = 0.02  # m


class PaintedMujocoRig(MujocoRig):
    """Done when both hands are where "lift both hands" leads."""

    def render(
        self, camera: str, height: int | None = None, width: int | None = None
    ) -> np.ndarray:
        height = height or self.settings.image_height
        width = width or self.settings.image_width
        position, _, opening = self.joint_state()
        small = picture(actions.pack(ROBOT.hand_poses(position, opening)))
        return np.kron(small, np.ones((height // HEIGHT, width // WIDTH, 1), np.uint8))

    def succeeded(self) -> bool:
        position, _, opening = self.joint_state()
        hands = ROBOT.hand_poses(position, opening).position
        return bool(np.linalg.norm(hands - home_and_lifted()[1].position, axis=1).max() < NEAR)


def lifted_picture() -> np.ndarray:
    """The goal image of a done task, (h, w, 3) uint8 RGB."""
    return picture(actions.pack(home_and_lifted()[1]))


def home_picture() -> np.ndarray:
    """A goal image of the arms where they began."""
    return picture(actions.pack(home_and_lifted()[0]))


def environment_with_painted_rig(folder: Path) -> dict[str, str]:
    """Return an environment in which the rig "painted" is registered, as if installed."""
    info = folder / "painted_rig_for_tests-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: painted-rig-for-tests\nVersion: 1\n"
    )
    (info / "entry_points.txt").write_text(
        "[wm_planner.rigs]\npainted = painted_mujoco_rig:PaintedMujocoRig\n"
    )
    tests = Path(__file__).resolve().parent
    path = [str(folder), str(tests), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}

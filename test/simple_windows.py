"""Windows in which the painted rig stands still."""

from __future__ import annotations

import numpy as np
from painted_rig import RIG, home_and_lifted
from tiny_models import picture

from wm_planner import actions
from wm_planner.types import ObservationWindow

SECOND = 1_000_000_000
NOW = 100 * SECOND
HOME, LIFTED = home_and_lifted()


def window_at(stamp_ns: int, poses=HOME) -> ObservationWindow:
    image = picture(actions.pack(poses))
    return ObservationWindow(
        stamps_ns=np.array([stamp_ns - SECOND // 5, stamp_ns]),
        images={"head": np.stack([image, image])},
        joint_position=np.stack([RIG.home, RIG.home]),
        joint_velocity=np.zeros((2, 12)),
        gripper_width=np.full((2, 2), 0.08),
        actions=actions.identity(np.full((1, 2), 0.08)),
        dt=0.2,
    )

"""What every check looks at: K candidates as paths through joint space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wm_planner.errors import ShapeError
from wm_planner.filters.kinematic.settings import KinematicFilterSettings
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import ActionChunks, JointTrajectories, StartState, Verdicts

FILTER_NAME = "kinematic"


@dataclass(frozen=True, eq=False)
class Motion:
    """Candidates and what they are measured with.

    Attributes:
        robot: whose limits count.
        settings: how far a candidate may go.
        chunks: relative 20-D actions, (K, H, 20).
        trajectories: the same in joint space, (K, H, D).
        start: what the arms are doing at step -1.
        path: shape (K, H + 1, D), rad: the measured posture, then the waypoints.
    """

    robot: RobotModel
    settings: KinematicFilterSettings
    chunks: ActionChunks
    trajectories: JointTrajectories
    start: StartState
    path: np.ndarray


Check = Callable[[Motion], tuple[Verdicts, ...]]
"""Measures one or more things, each against one limit; arrays in, one Verdicts each out.

A check never chooses, and treats all candidates alike and apart. Larger measured values are worse,
NaN is worst.
"""


def motion(
    robot: RobotModel,
    settings: KinematicFilterSettings,
    chunks: ActionChunks,
    trajectories: JointTrajectories,
    start: StartState,
) -> Motion:
    """Put together what belongs together, or raise ShapeError."""
    q, measured = trajectories.joint_position, start.joint_position
    if q.shape[:2] != chunks.actions.shape[:2] or q.shape[2:] != measured.shape:
        raise ShapeError(
            f"kinematic filter: got actions {chunks.actions.shape}, joint positions {q.shape} "
            f"and measured joints {measured.shape}, expected (K, H, 20), (K, H, D) and (D,)"
        )
    path = np.concatenate([np.broadcast_to(measured, q[:, :1].shape), q], axis=1)
    return Motion(robot, settings, chunks, trajectories, start, path)

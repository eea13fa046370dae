"""Whether the tools stay in the rig's workspace."""

from __future__ import annotations

import numpy as np

from wm_planner.filters.kinematic.motion import FILTER_NAME, Motion
from wm_planner.filters.worst_case import worst_case
from wm_planner.types import HANDS, RejectionReason, Verdicts

SAMPLES = 4  # postures on the way to each waypoint, the waypoint included


def workspace(motion: Motion) -> tuple[Verdicts, ...]:
    """Measure how far tools are outside the box, m, at and between waypoints."""
    path = motion.path
    share = np.arange(1, SAMPLES + 1)[:, None] / SAMPLES
    q = path[:, :-1, None] + share * np.diff(path, axis=1)[:, :, None]  # (K, H, SAMPLES, D)
    position, _ = motion.robot.forward_kinematics(q)
    box = motion.robot.rig.workspace
    outside = np.maximum(position - np.array(box.upper), np.array(box.lower) - position)
    outside = outside.max(axis=-1).reshape(*q.shape[:2], -1)  # (K, H, SAMPLES 2)
    reason, limit = RejectionReason.WORKSPACE, motion.settings.workspace_overshoot
    return (worst_case(FILTER_NAME, reason, outside, limit, "m outside", HANDS * SAMPLES),)

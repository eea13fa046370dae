"""What the training loops ask of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class EpisodeSource(Protocol):
    """Episodes laid end to end: F frames in E episodes, M objects.

    Attributes:
        frames: Shape (F, h, w, 3), uint8; may be a memory map.
        hand_pose: Shape (F, 20), packed measured hand poses.
        hand_target: Shape (F, 20), packed targets that were commanded at each frame for the next.
        step_good: Shape (F,), bool: the command was meant to be imitated.
        object_position: Shape (F, M, 3), m; objects that a scene lacks lie below z = -0.3.
        offsets: Shape (E + 1,): episode e is frames offsets[e] to offsets[e + 1] - 1.
        instruction: E sentences, "" where nothing was asked.
        task: E task names.
        kind: E of expert, recovery, failure, play.
        success: Shape (E,), bool.
    """

    frames: np.ndarray
    hand_pose: np.ndarray
    hand_target: np.ndarray
    step_good: np.ndarray
    object_position: np.ndarray
    offsets: np.ndarray
    instruction: Sequence[str]
    task: Sequence[str]
    kind: Sequence[str]
    success: np.ndarray

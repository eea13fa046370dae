"""What the training loops learn from: episodes laid end to end, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.errors import DataError


@dataclass(frozen=True, eq=False)
class EpisodeSource:
    """F frames in E episodes, M objects.

    Attributes:
        frames: Shape (F, h, w, 3), uint8; may be a memory map.
        hand_pose: Shape (F, 20), packed measured hand poses.
        hand_target: Shape (F, 20), packed targets that were commanded at each frame for the next.
        step_good: Shape (F,), bool: the command was meant to be imitated.
        object_position: Shape (F, M, 3), m, base frame.
        object_visible: Shape (F, M), bool: the scene has the object.
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
    object_visible: np.ndarray
    offsets: np.ndarray
    instruction: Sequence[str]
    task: Sequence[str]
    kind: Sequence[str]
    success: np.ndarray

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        count = len(self.frames)
        for name in ("hand_pose", "hand_target", "step_good", "object_position", "object_visible"):
            if len(getattr(self, name)) != count:
                raise DataError(f"{name}: got {len(getattr(self, name))} rows, expected {count}")
        episodes = len(self.offsets) - 1
        for name in ("instruction", "task", "kind", "success"):
            if len(getattr(self, name)) != episodes:
                raise DataError(f"{name}: got {len(getattr(self, name))}, expected {episodes}")
        if episodes < 1 or self.offsets[0] != 0 or self.offsets[-1] != count:
            raise DataError(f"offsets: got {episodes} episodes that do not cover {count} frames")

    @staticmethod
    def from_dataset(dataset: Any, camera: str) -> EpisodeSource:
        """Wrap a recorded dataset, whose class training does not know."""
        return EpisodeSource(
            frames=dataset.frames(camera),
            hand_pose=dataset.hand_pose,
            hand_target=dataset.hand_target,
            step_good=dataset.step_good,
            object_position=dataset.object_position,
            object_visible=dataset.object_visible,
            offsets=dataset.episode_offsets,
            instruction=[str(text) for text in dataset.instruction],
            task=[str(text) for text in dataset.task],
            kind=[str(text) for text in dataset.kind],
            success=dataset.success,
        )

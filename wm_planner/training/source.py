"""What the training loops learn from: episodes laid end to end, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.errors import DataError


class StackedFrames:
    """Images of several data sets one after the other, read from disk when asked for."""

    def __init__(self, parts: Sequence[np.ndarray | StackedFrames]) -> None:
        """Refuse images of different sizes."""
        sizes = {part.shape[1:] for part in parts}
        if len(sizes) != 1:
            raise DataError(f"images of the data sets differ in size: {sorted(sizes)}")
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape: tuple[int, ...] = (int(self._starts[-1]), *sizes.pop())

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Copy some of the images, shape (N, h, w, 3)."""
        wanted = np.arange(len(self))[rows]
        images = np.empty((len(wanted), *self.shape[1:]), np.uint8)
        for part, start in zip(self._parts, self._starts[:-1], strict=True):
            here = (wanted >= start) & (wanted < start + len(part))
            images[here] = part[wanted[here] - start]
        return images


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
        kind: E of expert, recovery, failure, play, stills, planner.
        success: Shape (E,), bool.
        recording: Which recording each episode was made of, shape (E,), int. Episodes of one show
            the same scene and motion, so what one has taught is no news to the others.
        object_names: M names; empty where nobody needs them.
    """

    frames: np.ndarray | StackedFrames
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
    recording: np.ndarray
    object_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        count = len(self.frames)
        for name in ("hand_pose", "hand_target", "step_good", "object_position", "object_visible"):
            if len(getattr(self, name)) != count:
                raise DataError(f"{name}: got {len(getattr(self, name))} rows, expected {count}")
        episodes = len(self.offsets) - 1
        for name in ("instruction", "task", "kind", "success", "recording"):
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
            recording=dataset.recording,
            object_names=tuple(dataset.object_names),
        )

    @staticmethod
    def joined(sources: Sequence[EpisodeSource]) -> EpisodeSource:
        """Several data sets as one; an object that one of them lacks is invisible in its frames."""
        if len(sources) == 1:
            return sources[0]
        names = tuple(dict.fromkeys(name for source in sources for name in source.object_names))
        columns = [[names.index(name) for name in source.object_names] for source in sources]
        starts = np.cumsum([0, *(len(source.frames) for source in sources)])
        position = np.zeros((starts[-1], len(names), 3))
        visible = np.zeros((starts[-1], len(names)), bool)
        for source, column, start in zip(sources, columns, starts[:-1], strict=True):
            rows = slice(start, start + len(source.frames))
            position[rows, column] = source.object_position
            visible[rows, column] = source.object_visible
        offsets = [s.offsets[:-1] + start for s, start in zip(sources, starts[:-1], strict=True)]
        recordings = np.cumsum([0, *(source.recording.max() + 1 for source in sources[:-1])])
        return EpisodeSource(
            frames=StackedFrames([source.frames for source in sources]),
            hand_pose=np.concatenate([source.hand_pose for source in sources]),
            hand_target=np.concatenate([source.hand_target for source in sources]),
            step_good=np.concatenate([source.step_good for source in sources]),
            object_position=position,
            object_visible=visible,
            offsets=np.concatenate([*offsets, starts[-1:]]),
            instruction=[text for source in sources for text in source.instruction],
            task=[text for source in sources for text in source.task],
            kind=[text for source in sources for text in source.kind],
            success=np.concatenate([source.success for source in sources]),
            recording=np.concatenate(
                [s.recording + before for s, before in zip(sources, recordings, strict=True)]
            ),
            object_names=names,
        )

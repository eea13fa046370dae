"""Windows of recorded episodes: what a model sees, what was done then, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from wm_planner import images
from wm_planner.errors import DataError
from wm_planner.types import ObservationWindow

ASKED_KINDS = ("expert", "noisy", "recovery")
NEAR_MISS = "near_miss"


class Recording(Protocol):
    """A recorded dataset as this part reads it: F frames in E episodes, M objects.

    `wm_planner.datasets.lerobot_reader.LeRobotDataset` is one, and says what the arrays hold.
    """

    fps: int
    robot_type: str
    cameras: dict[str, tuple[int, int]]
    object_names: tuple[str, ...]
    episode_offsets: np.ndarray
    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray
    hand_pose: np.ndarray
    hand_target: np.ndarray
    action: np.ndarray
    step_good: np.ndarray
    object_position: np.ndarray
    object_visible: np.ndarray
    task: np.ndarray
    instruction: np.ndarray
    kind: np.ndarray
    success: np.ndarray
    recording: np.ndarray
    recording_names: tuple[str, ...]

    def frames(self, camera: str, episode: int | None = None) -> np.ndarray:
        """Images of a camera, shape (F, h, w, 3) or those of one episode, uint8."""


@dataclass(frozen=True, eq=False)
class Windows:
    """B windows of T past and H future frames.

    Attributes:
        images: shape (B, T + H, h, w, 3), uint8, of the size that the model wants.
        at: shape (B, T + H), numbers of the frames in the recording.
        seen: B windows as the planner would see them.
        hand_pose: shape (B, 20), packed measured poses at the newest past frame.
        pose_before: the same a frame earlier; the same frame where T is 1.
        targets: shape (B, H, 20), packed poses commanded for each future frame.
        episode: shape (B,).
        task: shape (B,), str.
        instruction: shape (B,), str, "" for none.
        kind: shape (B,), str.
        asked: shape (B,), bool: the instruction was given and carried out.
    """

    images: np.ndarray
    at: np.ndarray
    seen: tuple[ObservationWindow, ...]
    hand_pose: np.ndarray
    pose_before: np.ndarray
    targets: np.ndarray
    episode: np.ndarray
    task: np.ndarray
    instruction: np.ndarray
    kind: np.ndarray
    asked: np.ndarray

    def __len__(self) -> int:
        """B."""
        return len(self.at)

    @property
    def horizon(self) -> int:
        """H."""
        return self.targets.shape[1]

    def take(self, rows: np.ndarray) -> Windows:
        """Return some of them, by number or by a mask of shape (B,)."""
        rows = np.arange(len(self))[rows]
        parts: dict[str, Any] = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if field.name != "seen"
        }
        return Windows(seen=tuple(self.seen[row] for row in rows), **parts)


@dataclass(frozen=True)
class WindowSizes:
    """T, H, the camera and the image size (height, width) in px that a model wants."""

    context: int
    horizon: int
    camera: str
    image_size: tuple[int, int]


def draw_windows(
    recording: Recording, sizes: WindowSizes, count: int, generator: np.random.Generator
) -> Windows:
    """Draw windows of ordinary episodes: every episode is used before any is used twice.

    A window lies within its episode. Where the episode is too short for that, its last frame is
    repeated, and the arms are told to stay; in front of its first frame, that one is repeated,
    which is how the planner starts.
    """
    usable = np.flatnonzero((recording.kind != "stills") & (recording.kind != NEAR_MISS))
    if not len(usable):
        raise DataError("the dataset has no episodes with motion, only stills or near misses")
    rounds = -(-count // len(usable))
    episode = np.concatenate([generator.permutation(usable) for _ in range(rounds)])[:count]
    length = np.diff(recording.episode_offsets)[episode]
    newest = generator.integers(np.maximum(length - sizes.horizon, 1))
    return windows_at(recording, sizes, episode, newest)


def near_miss_windows(recording: Recording, sizes: WindowSizes) -> Windows | None:
    """Return a window of each near miss, from the second frame that shows the moved object."""
    episodes = np.flatnonzero(recording.kind == NEAR_MISS)
    if not len(episodes):
        return None
    first = recording.episode_offsets[episodes]
    last = recording.episode_offsets[episodes + 1]
    moved = [int(np.argmin(recording.step_good[a:b])) for a, b in zip(first, last, strict=True)]
    return windows_at(recording, sizes, episodes, np.array(moved) + 1)


def windows_at(
    recording: Recording, sizes: WindowSizes, episode: np.ndarray, newest: np.ndarray
) -> Windows:
    """Cut windows.

    Args:
        recording: the data.
        sizes: T, H and images.
        episode: shape (B,).
        newest: shape (B,), which frame of the episode is the newest past one.
    """
    first = recording.episode_offsets[episode][:, None]
    length = np.diff(recording.episode_offsets)[episode][:, None]
    steps = np.arange(1 - sizes.context, sizes.horizon + 1)
    at = first + np.clip(newest[:, None] + steps, 0, length - 1)
    # What was commanded at one frame is due at the next.
    commanded = at[:, sizes.context - 1 : -1]
    frames = recording.frames(sizes.camera)
    cut = np.stack([frames[row] for row in at])
    kind = recording.kind[episode]
    good = recording.step_good[commanded].all(axis=1) & recording.success[episode]
    return Windows(
        images=images.fit(cut, *sizes.image_size),
        at=at,
        seen=tuple(_seen(recording, sizes, row, cut[i]) for i, row in enumerate(at)),
        hand_pose=recording.hand_pose[at[:, sizes.context - 1]],
        pose_before=recording.hand_pose[at[:, max(sizes.context - 2, 0)]],
        targets=recording.hand_target[commanded],
        episode=episode,
        task=recording.task[episode],
        instruction=recording.instruction[episode],
        kind=kind,
        asked=np.isin(kind, ASKED_KINDS) & (recording.instruction[episode] != "") & good,
    )


def others_instruction(windows: Windows, generator: np.random.Generator) -> list[str]:
    """Return for each window an instruction of another task that occurs, B sentences.

    Where no other task occurs, it is the window's own.
    """
    by_task = {
        task: sorted(set(windows.instruction[windows.task == task]) - {""})
        for task in sorted(set(windows.task[windows.instruction != ""]))
    }
    chosen = []
    for task, own in zip(windows.task, windows.instruction, strict=True):
        others = [text for name, texts in by_task.items() if name != task for text in texts]
        chosen.append(str(generator.choice(others)) if others else str(own))
    return chosen


def _seen(
    recording: Recording, sizes: WindowSizes, row: np.ndarray, frames: np.ndarray
) -> ObservationWindow:
    past = row[: sizes.context]
    dt = 1.0 / recording.fps
    return ObservationWindow(
        stamps_ns=(np.arange(sizes.context) * dt * 1e9).astype(np.int64),
        images={sizes.camera: frames[: sizes.context]},
        joint_position=recording.joint_position[past].astype(np.float64),
        joint_velocity=recording.joint_velocity[past].astype(np.float64),
        gripper_width=recording.gripper_width[past].astype(np.float64),
        actions=recording.action[past[:-1]].astype(np.float64),
        dt=dt,
    )

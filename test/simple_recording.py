"""A made-up recording for open-loop figures: hands on straight lines, drawn by `tiny_models`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from tiny_models import HEIGHT, RIG, WIDTH, picture

from wm_planner import actions
from wm_planner.types import HandPoses

TASKS = {"home": "go home", "lift": "lift both hands"}


@dataclass
class SimpleRecording:
    """As `wm_planner.open_loop.windows.Recording` describes it; one object called cube."""

    episode_offsets: np.ndarray
    hand_pose: np.ndarray
    hand_target: np.ndarray
    step_good: np.ndarray
    object_position: np.ndarray
    task: np.ndarray
    instruction: np.ndarray
    kind: np.ndarray
    success: np.ndarray
    images: np.ndarray
    fps: int = 5
    robot_type: str = RIG
    cameras: dict[str, tuple[int, int]] = field(default_factory=lambda: {"head": (HEIGHT, WIDTH)})
    object_names: tuple[str, ...] = ("cube",)

    def __post_init__(self) -> None:
        count = len(self.hand_pose)
        self.joint_position = np.zeros((count, 12))
        self.joint_velocity = np.zeros((count, 12))
        self.gripper_width = self.hand_pose[:, 9::10]
        start, target = actions.unpack(self.hand_pose), actions.unpack(self.hand_target)
        self.action = actions.encode(start, target)
        self.object_visible = np.ones((count, 1), bool)
        self.recording = np.arange(len(self.kind))
        self.recording_names = tuple(f"take {number}" for number in self.recording)

    def frames(self, camera: str, episode: int | None = None) -> np.ndarray:
        assert camera == "head" and episode is None
        return self.images


def make_recording(
    lengths: tuple[int, ...] = (12, 12, 12, 12, 4),
    kinds: tuple[str, ...] = ("expert", "expert", "play", "near_miss", "expert"),
    seed: int = 0,
) -> SimpleRecording:
    """Episodes whose hands move by random steps and are exactly where they were told to be."""
    generator = np.random.default_rng(seed)
    poses, targets, good, cubes = [], [], [], []
    for length, kind in zip(lengths, kinds, strict=True):
        rest = np.zeros((1, 2, 3))  # at both ends, as the recorder leaves it
        steps = np.concatenate([rest, generator.normal(0, 0.03, (length - 1, 2, 3)), rest])
        position = np.array([[-0.2, 0.3, 0.2], [0.2, 0.3, 0.2]]) + np.cumsum(steps, axis=0)
        rotation = np.broadcast_to(np.eye(3), (length + 1, 2, 3, 3))
        packed = actions.pack(HandPoses(position, rotation, np.full((length + 1, 2), 0.05)))
        poses.append(packed[:-1])
        targets.append(packed[1:])
        moved_at = 3 if kind == "near_miss" else length
        good.append((np.arange(length) < moved_at) & (kind != "play"))
        cube = generator.uniform(-0.2, 0.2, 3)
        cubes.append(np.where(np.arange(length)[:, None] < moved_at, cube, cube + [0.05, 0, 0]))
    names = [list(TASKS)[i % 2] if kind != "play" else "play" for i, kind in enumerate(kinds)]
    pose = np.concatenate(poses)
    return SimpleRecording(
        episode_offsets=np.concatenate([[0], np.cumsum(lengths)]),
        hand_pose=pose,
        hand_target=np.concatenate(targets),
        step_good=np.concatenate(good),
        object_position=np.concatenate(cubes)[:, None],
        task=np.array(names),
        instruction=np.array([TASKS.get(name, "") for name in names]),
        kind=np.array(kinds),
        success=np.array([kind == "expert" for kind in kinds]),
        images=picture(pose),
    )

"""Other people's recordings as episodes of this project: joints become poses, time is thinned.

A recording at 30 Hz holds six episodes at 5 Hz, a frame apart: its phases. They show the same
motion at other instants, which is what a model should not care about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wm_planner import actions, images
from wm_planner.datasets.episode import Episode
from wm_planner.datasets.lerobot_index import begin, finish
from wm_planner.datasets.lerobot_v21 import LeRobotV21, RecordedJoints
from wm_planner.datasets.lerobot_writer import shard_seeds, write_shard
from wm_planner.datasets.origin import Origin
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.observing.joint_reader import split_joints
from wm_planner.robot.robot_model import RobotModel

SHORTEST = 4  # frames of an episode


def import_recordings(
    source: LeRobotV21,
    root: Path,
    robot: RobotModel,
    cameras: dict[str, str],
    image_size: tuple[int, int],
    fps: int,
    phases: int,
    origin: Origin,
    report: Callable[[int], None] = lambda number: None,
) -> None:
    """Write a dataset of recorded episodes, one shard each; shards that are there stay.

    Args:
        source: the recordings.
        root: folder of the dataset; made if missing.
        robot: its rig file says what the recorded joints are called.
        cameras: name in the rig to name in the recordings.
        image_size: height and width, px.
        fps: frames a second; must divide the recordings'.
        phases: episodes to make of each recording, at most as many as frames are left out.
        origin: says which episodes.
        report: called with the number of each recording that is done.
    """
    stride = source.fps // fps
    if stride * fps != source.fps or not 1 <= phases <= stride:
        raise ConfigurationError(
            f"{source.root}: {fps} frames a second in {phases} phases of {source.fps} recorded "
            f"ones; expected a divisor, and 1 to {max(stride, 1)} phases"
        )
    root.mkdir(parents=True, exist_ok=True)
    begin(root)
    for shard, number in enumerate(origin.episodes):
        seeds = [number * stride + phase for phase in range(phases)]
        if shard_seeds(root, shard) != seeds:
            joints = source.joints(number, robot.rig.message_joint_names)
            pictures = {
                name: _pictures(source, joints, camera, image_size)
                for name, camera in cameras.items()
            }
            episodes = [
                make_episode(joints, pictures, robot, source.fps, stride, phase, seeds[phase])
                for phase in range(phases)
            ]
            write_shard(root, shard, episodes, fps)
        report(number)
    finish(root, robot.rig.name, fps, origin)


def with_videos(
    source: LeRobotV21, numbers: Sequence[int], cameras: dict[str, str]
) -> tuple[int, ...]:
    """Return the episodes all of whose videos are there."""
    return tuple(
        number
        for number in numbers
        if all(source.video_path(number, camera).exists() for camera in cameras.values())
    )


def make_episode(
    joints: RecordedJoints,
    pictures: dict[str, np.ndarray],
    robot: RobotModel,
    fps: int,
    stride: int,
    phase: int,
    seed: int,
) -> Episode:
    """Make an episode of every `stride`-th row, from row `phase` on.

    The target of a frame is what was commanded when the next frame was taken.

    Args:
        joints: N rows of the recording.
        pictures: by camera of the rig, shape (N, h, w, 3), uint8.
        robot: kinematics, and which joints are whose.
        fps: rows a second.
        stride: rows from one frame to the next.
        phase: first row.
        seed: a number for the episode.
    """
    count = len(joints.state)
    rows = np.arange(phase, count, stride)
    if len(rows) < SHORTEST:
        raise DataError(f"episode {joints.number}: {count} rows are too few")
    arms, width = split_joints(robot.rig, joints.state)
    told_arms, told_width = split_joints(robot.rig, joints.action)
    due = np.minimum(rows + stride, count - 1)
    measured = robot.hand_poses(arms[rows], width[rows])
    commanded = robot.hand_poses(told_arms[due], told_width[due])
    return Episode(
        images={name: frames[rows] for name, frames in pictures.items()},
        joint_position=arms[rows],
        joint_velocity=np.gradient(arms, 1 / fps, axis=0)[rows],
        gripper_width=width[rows],
        hand_pose=actions.pack(measured),
        hand_target=actions.pack(commanded),
        action=actions.encode(measured, commanded),
        step_good=np.ones(len(rows), bool),
        object_position=np.zeros((len(rows), 0, 3)),
        object_visible=np.zeros((len(rows), 0), bool),
        object_names=(),
        task=re.sub(r"\W+", "_", joints.instruction.lower()).strip("_") or "task",
        instruction=joints.instruction,
        success=True,
        kind="expert",
        seed=seed,
        joint_names=robot.joint_names,
    )


def _pictures(
    source: LeRobotV21, joints: RecordedJoints, camera: str, size: tuple[int, int]
) -> np.ndarray:
    frames = [images.fit(frame, *size) for frame in source.frames(joints.number, camera)]
    if len(frames) != len(joints.state):
        path = source.video_path(joints.number, camera)
        raise DataError(f"{path}: holds {len(frames)} frames for {len(joints.state)} rows")
    return np.stack(frames)

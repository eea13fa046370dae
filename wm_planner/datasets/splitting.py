"""Training, validation and test sets by recording: all episodes of one go to the same set."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wm_planner.datasets.episode import Episode
from wm_planner.datasets.lerobot_index import begin, finish
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.lerobot_writer import write_shard
from wm_planner.errors import ConfigurationError

SETS = ("train", "validation", "test")
SHARD = 50  # episodes a file


def check_shares(shares: Sequence[float]) -> None:
    """Refuse what are no shares of `SETS`."""
    if len(shares) != len(SETS) or min(shares) < 0 or sum(shares) <= 0:
        raise ConfigurationError(f"split: got {list(shares)}, expected shares of {', '.join(SETS)}")


def place(names: Sequence[str], shares: Sequence[float]) -> list[str]:
    """Return which of `SETS` each recording goes to; the same names always go the same way.

    Args:
        names: of the recordings, all different.
        shares: of the sets; one that is above 0 gets a recording if there are enough.
    """
    check_shares(shares)
    wanted = np.asarray(shares, float) / np.sum(shares) * len(names)
    counts = np.floor(wanted).astype(int)
    for index in np.argsort(counts - wanted, kind="stable")[: len(names) - counts.sum()]:
        counts[index] += 1
    for index in np.flatnonzero((counts == 0) & (wanted > 0)):
        if counts.max() > 1:
            counts[np.argmax(counts)] -= 1
            counts[index] = 1
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())
    placed = [""] * len(names)
    ends = np.cumsum(counts)
    for rank, index in enumerate(order):
        placed[index] = SETS[int(np.searchsorted(ends, rank, side="right"))]
    return placed


def split_dataset(
    data: LeRobotDataset,
    root: Path,
    shares: Sequence[float],
    done: Callable[[int], None] = lambda count: None,
) -> dict[str, int]:
    """Write a dataset for each of `SETS` that gets a recording.

    Pictures are encoded once more. Everything else is the same, and in the same order.

    Args:
        data: what is split.
        root: folder of the datasets; must not exist.
        shares: of the sets.
        done: told how many more episodes are done.

    Returns:
        How many recordings went to each.
    """
    placed = np.array(place(data.recording_names, shares))
    counts = {}
    for name in SETS:
        recordings = np.flatnonzero(placed == name)
        if not len(recordings):
            continue
        target = root / name
        begin(target)
        episodes = np.flatnonzero(np.isin(data.recording, recordings))
        for number, start in enumerate(range(0, len(episodes), SHARD)):
            chosen = episodes[start : start + SHARD]
            write_shard(target, number, [_episode(data, int(one)) for one in chosen], data.fps)
            done(len(chosen))
        origin = data.origin and dataclasses.replace(
            data.origin, episodes=tuple(data.recording_names[one] for one in recordings)
        )
        finish(target, data.robot_type, data.fps, origin)
        counts[name] = len(recordings)
    return counts


def _episode(data: LeRobotDataset, number: int) -> Episode:
    rows = slice(data.episode_offsets[number], data.episode_offsets[number + 1])
    per_frame = (
        *("joint_position", "joint_velocity", "gripper_width", "hand_pose", "hand_target"),
        *("action", "step_good", "object_position", "object_visible"),
    )
    return Episode(
        images={camera: data.frames(camera, number) for camera in data.cameras},
        **{name: getattr(data, name)[rows] for name in per_frame},
        object_names=data.object_names,
        task=str(data.task[number]),
        instruction=str(data.instruction[number]),
        success=bool(data.success[number]),
        kind=str(data.kind[number]),
        seed=int(data.seed[number]),
        joint_names=data.joint_names,
    )

"""Small made-up episodes for the tests of datasets."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from wm_planner.datasets.collection import CollectionPlan, collect
from wm_planner.datasets.episode import KINDS, Episode

HEIGHT, WIDTH = 48, 64


def make_fields(
    seed: int,
    task: str = "reach",
    kind: str = "expert",
    objects: tuple[str, ...] = ("cube", "tray"),
) -> dict[str, Any]:
    """Fields of an `Episode` that depend on the arguments alone; 5 to 9 frames."""
    generator = np.random.default_rng(seed)
    length = int(generator.integers(5, 10))
    return {
        "images": {"head": make_images(seed, length)},
        "joint_position": generator.normal(size=(length, 12)),
        "joint_velocity": generator.normal(size=(length, 12)),
        "gripper_width": generator.uniform(0, 0.09, (length, 2)),
        "hand_pose": generator.normal(size=(length, 20)),
        "hand_target": generator.normal(size=(length, 20)),
        "action": generator.normal(size=(length, 20)),
        "step_good": generator.random(length) < 0.5,
        "object_position": generator.normal(size=(length, len(objects), 3)),
        "object_visible": np.ones((length, len(objects)), bool),
        "object_names": objects,
        "task": task,
        "instruction": "" if kind == "play" else f"do {task}",
        "success": bool(seed % 2),
        "kind": kind,
        "seed": seed,
    }


def make_episode(seed: int, **arguments: Any) -> Episode:
    return Episode.from_mapping(make_fields(seed, **arguments))


def make_images(seed: int, length: int) -> np.ndarray:
    """A shaded background and a red square that moves, shape (length, HEIGHT, WIDTH, 3)."""
    shade = np.linspace(60, 180, WIDTH)[None, :, None] * np.linspace(0.6, 1, HEIGHT)[:, None, None]
    images = np.repeat((shade * [1.0, 0.9, 0.8])[None], length, 0).astype(np.uint8)
    for index in range(length):
        left = (seed * 7 + index * 3) % (WIDTH - 8)
        images[index, 20:28, left : left + 8] = [220, 20, 20]
    return images


def open_recorder():
    """A recorder as `collect` takes it; kinds and tasks come back as asked."""

    def record(task: str, seed: int, kind: str) -> dict[str, Any]:
        assert kind in KINDS
        return make_fields(seed, task, kind)

    return record


def open_slow_recorder():
    """The same, a tenth of a second an episode."""
    record = open_recorder()

    def slowly(task: str, seed: int, kind: str) -> dict[str, Any]:
        time.sleep(0.1)
        return record(task, seed, kind)

    return slowly


def open_failing_recorder():
    """Fails at seed 5."""
    record = open_recorder()

    def failing(task: str, seed: int, kind: str) -> dict[str, Any]:
        if seed == 5:
            raise ValueError("the cube fell off the table")
        return record(task, seed, kind)

    return failing


def open_dying_recorder():
    """Kills its process at seed 5."""
    record = open_recorder()

    def dying(task: str, seed: int, kind: str) -> dict[str, Any]:
        if seed == 5:
            os._exit(9)
        return record(task, seed, kind)

    return dying


def make_plan(episodes: int = 8, **arguments: Any) -> CollectionPlan:
    """A plan in shards of three."""
    mix = {"tasks": {"reach": 1.0, "fold": 3.0}, "kinds": {"expert": 1.0, "play": 1.0}}
    return CollectionPlan(**{"episodes": episodes, "seed": 0, "shard_size": 3, **mix, **arguments})


def collect_slowly(root: Path) -> None:
    """Six seconds of collecting."""
    collect(root, make_plan(60), open_slow_recorder)

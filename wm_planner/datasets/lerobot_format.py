"""The LeRobot v3.0 layout: file names, columns and metadata, and how our features map to it.

Follows ``CODEBASE_VERSION = "v3.0"`` of huggingface/lerobot (datasets/dataset_metadata.py and
dataset_writer.py): many episodes per parquet and mp4 file, with a table in ``meta/episodes`` that
says where each episode begins and ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wm_planner.datasets import video
from wm_planner.errors import DataError

CODEBASE_VERSION = "v3.0"
FILES_PER_CHUNK = 1000
INFO_PATH = "meta/info.json"
STATS_PATH = "meta/stats.json"
TASKS_PATH = "meta/tasks.parquet"
CARD_PATH = "README.md"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
IMAGE_PREFIX = "observation.images."

_HANDS = ("left", "right")
_WIDTH = [f"{hand}_width" for hand in _HANDS]
_POSE = [
    f"{hand}_{part}"
    for hand in _HANDS
    for part in ("x", "y", "z", "r11", "r21", "r31", "r12", "r22", "r32", "width")
]
_ACTION = [name.replace("_x", "_dx").replace("_y", "_dy").replace("_z", "_dz") for name in _POSE]


@dataclass(frozen=True)
class Column:
    """One per-frame column of the data files.

    Attributes:
        key: LeRobot feature name. Only what a policy may see begins with "observation": lerobot
            hands such columns to policies, and the simulator's knowledge is none of those.
        field: Name in `Episode` and `LeRobotDataset`.
        dtype: Type on disk.
        names: Name of each entry; empty for a scalar.
    """

    key: str
    field: str
    dtype: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """What differs between rigs and scenes: the arms' D joints, and M objects."""

    joints: tuple[str, ...]
    objects: tuple[str, ...]


COLUMNS = (
    Column("observation.gripper_width", "gripper_width", "float32", tuple(_WIDTH)),
    Column("observation.hand_pose", "hand_pose", "float32", tuple(_POSE)),
    Column("action", "action", "float32", tuple(_ACTION)),
    Column("target.hand_pose", "hand_target", "float32", tuple(_POSE)),
    Column("target.step_good", "step_good", "bool"),
)
INDEX_COLUMNS = (
    Column("timestamp", "", "float32"),
    Column("frame_index", "", "int64"),
    Column("episode_index", "", "int64"),
    Column("index", "", "int64"),
    Column("task_index", "", "int64"),
)


def joint_columns(joint_names: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns of D arm joints."""
    return (
        Column("observation.state", "joint_position", "float32", joint_names),
        Column("observation.joint_velocity", "joint_velocity", "float32", joint_names),
    )


def object_columns(object_names: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns of what only the simulator knows, for M objects; empty when there are none."""
    if not object_names:
        return ()
    axes = tuple(f"{name}_{axis}" for name in object_names for axis in "xyz")
    return (
        Column("simulator.object_position", "object_position", "float32", axes),
        Column("simulator.object_visible", "object_visible", "bool", object_names),
    )


def union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """All names, each once, in the order of their first appearance."""
    return tuple(dict.fromkeys(name for group in groups for name in group))


def spread(values: np.ndarray, own: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
    """Puts what some scene's objects have among all objects; absent ones are zeros.

    Args:
        values: Shape (N, len(own), ...).
        own: Names of the scene's objects.
        names: Names of all objects.

    Returns:
        Shape (N, len(names), ...).
    """
    wide = np.zeros((len(values), len(names), *values.shape[2:]), values.dtype)
    wide[:, [names.index(name) for name in own]] = values
    return wide


def columns(names: Names) -> tuple[Column, ...]:
    """All columns of the data files, in order."""
    return (
        *joint_columns(names.joints),
        *COLUMNS,
        *object_columns(names.objects),
        *INDEX_COLUMNS,
    )


def file_paths(root: Path, number: int, cameras: tuple[str, ...]) -> dict[str, Path]:
    """Paths of the files with a number: keys "data", "episodes" and each camera's name."""
    place = {"chunk_index": number // FILES_PER_CHUNK, "file_index": number % FILES_PER_CHUNK}
    paths = {
        "data": root / DATA_PATH.format(**place),
        "episodes": root / EPISODES_PATH.format(**place),
    }
    for camera in cameras:
        paths[camera] = root / VIDEO_PATH.format(video_key=IMAGE_PREFIX + camera, **place)
    return paths


def column_array(column: Column, values: np.ndarray) -> pa.Array:
    """Arrow array of a column from values of shape (N, ...): scalars, or lists of fixed length."""
    flat = pa.array(np.ascontiguousarray(values, dtype=column.dtype).reshape(-1))
    if not column.names:
        return flat
    return pa.FixedSizeListArray.from_arrays(flat, len(column.names))


def column_values(table: pa.Table, column: Column, where: Path) -> np.ndarray:
    """The inverse of `column_array`: shape (N,) or (N, length of names)."""
    if column.key not in table.column_names:
        raise DataError(f"{where}: has no column {column.key!r}")
    array = table[column.key].combine_chunks()
    if column.names:
        array = array.flatten()
    values = array.to_numpy(zero_copy_only=False).astype(column.dtype)
    return values.reshape((len(table), -1) if column.names else (len(table),))


def tasks_table(instructions: list[str]) -> pa.Table:
    """``meta/tasks.parquet``: the instruction is the index of a pandas frame."""
    count = len(instructions)
    table = pa.table(
        {
            "task_index": pa.array(range(count), pa.int64()),
            "task": pa.array(instructions, pa.string()),
        }
    )
    columns = [
        {"name": "task_index", "field_name": "task_index", "pandas_type": "int64"},
        {"name": "task", "field_name": "task", "pandas_type": "unicode"},
    ]
    numpy_types = {"task_index": "int64", "task": "object"}
    index = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {**column, "numpy_type": numpy_types[column["name"]], "metadata": None}
            for column in columns
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": None,
    }
    return table.replace_schema_metadata({"pandas": json.dumps(index)})


def info(
    *,
    robot_type: str,
    fps: int,
    episodes: int,
    frames: int,
    tasks: int,
    image_sizes: dict[str, tuple[int, int]],
    names: Names,
) -> dict[str, Any]:
    """Content of ``meta/info.json``; sizes are (height, width) in px per camera."""
    features: dict[str, Any] = {}
    for camera, (height, width) in image_sizes.items():
        features[IMAGE_PREFIX + camera] = {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": height,
                "video.width": width,
                "video.codec": "h264",
                "video.pix_fmt": video.PIXEL_FORMAT,
                "video.fps": fps,
                "video.channels": 3,
                "video.crf": video.CRF,
                "video.g": video.GOP,
                "is_depth_map": False,
                "has_audio": False,
            },
        }
    for column in columns(names):
        features[column.key] = {
            "dtype": column.dtype,
            "shape": [max(len(column.names), 1)],
            "names": list(column.names) or None,
        }
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": robot_type,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": features,
    }

"""Writes episodes as shards of a LeRobot v3.0 dataset, by several processes if need be.

A shard is three kinds of files with the same number: one parquet of frames, one mp4 per camera, and
last of all one parquet of episodes, whose presence says that the shard is whole. Every file is
written under another name and renamed, so a killed process leaves nothing that could be mistaken
for data. What depends on all shards is put in by `lerobot_index.finish`; a dataset without
``info.json`` is not finished and is not read.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wm_planner.datasets import lerobot_format as layout
from wm_planner.datasets.atomic_file import renamed
from wm_planner.datasets.episode import Episode
from wm_planner.datasets.statistics import image_statistics
from wm_planner.datasets.video import write_video
from wm_planner.errors import DataError

OBJECT_NAMES = b"wm_planner.object_names"
"""Key of the parquet metadata with the names of the objects, as a JSON list."""

JOINT_NAMES = b"wm_planner.joint_names"
"""Key of the parquet metadata with the names of the arms' joints, as a JSON list."""

IMAGE_SIZES = b"wm_planner.image_sizes"
"""Key of the parquet metadata with camera name to [height, width] in px, as a JSON object."""


def write_shard(root: Path, number: int, episodes: Sequence[Episode], fps: int) -> None:
    """Writes some episodes as files with a number, replacing what had that number before.

    Args:
        root: The dataset's folder.
        number: 0, 1, ... The order of the numbers is the order of the episodes in the dataset.
        episodes: At least one, all with the same joints, cameras and image sizes.
        fps: Frames per second of the episodes.
    """
    first = episodes[0]
    cameras = tuple(sorted(first.images))
    for episode in episodes:
        if tuple(sorted(episode.images)) != cameras:
            raise DataError(
                f"seeds {first.seed} and {episode.seed} differ in cameras: {cameras}, "
                f"{tuple(sorted(episode.images))}"
            )
        if episode.joint_names != first.joint_names:
            raise DataError(f"seeds {first.seed} and {episode.seed} differ in their joints")
    paths = layout.file_paths(root, number, cameras)
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    paths["episodes"].unlink(missing_ok=True)
    for camera in cameras:
        with renamed(paths[camera]) as partial:
            write_video(partial, (episode.images[camera] for episode in episodes), fps)
    write_frames(paths["data"], _frames_table(episodes, fps))
    with renamed(paths["episodes"]) as partial:
        pq.write_table(_episodes_table(number, episodes, cameras, fps), partial)


def shard_numbers(root: Path) -> list[int]:
    """Numbers of the shards that are whole, in order."""
    numbers = []
    for path in (root / "meta" / "episodes").glob("chunk-*/file-*.parquet"):
        chunk, file = int(path.parent.name.split("-")[1]), int(path.stem.split("-")[1])
        numbers.append(chunk * layout.FILES_PER_CHUNK + file)
    return sorted(numbers)


def shard_seeds(root: Path, number: int) -> list[int]:
    """Seeds of the episodes in a shard; empty if there is no whole shard."""
    path = layout.file_paths(root, number, ())["episodes"]
    if not path.exists():
        return []
    return pq.read_table(path, columns=["seed"])["seed"].to_pylist()


def frames_table(values: Mapping[str, np.ndarray], names: layout.Names) -> pa.Table:
    """A table of frames from values (N, ...) by column key."""
    arrays = {
        column.key: layout.column_array(column, values[column.key])
        for column in layout.columns(names)
    }
    metadata = {OBJECT_NAMES: json.dumps(names.objects), JOINT_NAMES: json.dumps(names.joints)}
    return pa.table(arrays).replace_schema_metadata(metadata)


def write_frames(path: Path, table: pa.Table) -> None:
    """Writes a data file with one row group per episode, so that an episode can be read alone."""
    bounds = np.flatnonzero(np.diff(table["episode_index"].to_numpy())) + 1
    edges = [0, *bounds.tolist(), len(table)]
    with renamed(path) as partial, pq.ParquetWriter(partial, table.schema) as writer:
        for start, end in itertools.pairwise(edges):
            writer.write_table(table.slice(start, end - start))


def _frames_table(episodes: Sequence[Episode], fps: int) -> pa.Table:
    """The rows of all episodes; running indices count from 0 and are set by `finish`."""
    objects = layout.union(episode.object_names for episode in episodes)
    names = layout.Names(episodes[0].joint_names, objects)
    lengths = [len(episode) for episode in episodes]
    frame_index = np.concatenate([np.arange(length) for length in lengths])
    values = {
        "timestamp": frame_index / fps,
        "frame_index": frame_index,
        "episode_index": np.repeat(np.arange(len(episodes)), lengths),
        "index": np.arange(sum(lengths)),
        "task_index": np.zeros(sum(lengths)),
    }
    for column in (*layout.joint_columns(names.joints), *layout.COLUMNS):
        values[column.key] = np.concatenate([getattr(e, column.field) for e in episodes])
    for column in layout.object_columns(objects):
        parts = [layout.spread(getattr(e, column.field), e.object_names, objects) for e in episodes]
        values[column.key] = np.concatenate(parts)
    return frames_table(values, names)


def _episodes_table(
    number: int, episodes: Sequence[Episode], cameras: tuple[str, ...], fps: int
) -> pa.Table:
    chunk, file = divmod(number, layout.FILES_PER_CHUNK)
    rows: list[dict[str, Any]] = []
    begin_frame = 0
    for index, episode in enumerate(episodes):
        end_frame = begin_frame + len(episode)
        row: dict[str, Any] = {
            "episode_index": index,
            "tasks": [episode.instruction],
            "length": len(episode),
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": begin_frame,
            "dataset_to_index": end_frame,
            "meta/episodes/chunk_index": chunk,
            "meta/episodes/file_index": file,
            "task_name": episode.task,
            "kind": episode.kind,
            "success": episode.success,
            "seed": episode.seed,
        }
        for camera in cameras:
            key = layout.IMAGE_PREFIX + camera
            row[f"videos/{key}/chunk_index"] = chunk
            row[f"videos/{key}/file_index"] = file
            row[f"videos/{key}/from_timestamp"] = begin_frame / fps
            row[f"videos/{key}/to_timestamp"] = end_frame / fps
            for name, value in image_statistics(episode.images[camera]).items():
                row[f"stats/{key}/{name}"] = value.tolist()
        rows.append(row)
        begin_frame = end_frame
    sizes = {camera: episodes[0].images[camera].shape[1:3] for camera in cameras}
    return pa.Table.from_pylist(rows).replace_schema_metadata({IMAGE_SIZES: json.dumps(sizes)})

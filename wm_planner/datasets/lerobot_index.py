"""Makes one LeRobot v3.0 dataset of whole shards: numbers, tasks, statistics, info, card."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wm_planner.datasets import lerobot_format as layout
from wm_planner.datasets.atomic_file import remove_partial, renamed, write_json
from wm_planner.datasets.dataset_card import CARD_COLUMNS, dataset_card
from wm_planner.datasets.episode import SIMULATED_JOINTS
from wm_planner.datasets.lerobot_writer import (
    IMAGE_SIZES,
    JOINT_NAMES,
    OBJECT_NAMES,
    frames_table,
    shard_numbers,
    write_frames,
)
from wm_planner.datasets.origin import ORIGIN_PATH, Origin
from wm_planner.datasets.statistics import Statistics, aggregate, column_statistics
from wm_planner.errors import DataError


def begin(root: Path) -> None:
    """Marks a dataset as being written: it is not read until `finish`. No writer may be at work."""
    (root / layout.INFO_PATH).unlink(missing_ok=True)
    remove_partial(root)


def finish(root: Path, robot_type: str, fps: int, origin: Origin | None = None) -> None:
    """Numbers the episodes of all whole shards through and writes the metadata and the card.

    May be called again after more shards were written.

    Args:
        root: The dataset's folder.
        robot_type: Name of the rig.
        fps: Frames per second.
        origin: Where imported episodes come from; None where they were recorded here.
    """
    begin(root)
    numbers = shard_numbers(root)
    if not numbers:
        raise DataError(f"{root}: holds no episodes")
    _drop_orphans(root, numbers)
    paths = {number: layout.file_paths(root, number, ()) for number in numbers}
    tables = {number: pq.read_table(paths[number]["episodes"]) for number in numbers}
    sizes = _image_sizes(tables[numbers[0]])
    own = [_names(paths[number]["data"]) for number in numbers]
    if len({names.joints for names in own}) > 1:
        raise DataError(f"{root}: shards differ in the arms' joints: {own[0].joints} and others")
    names = layout.Names(own[0].joints, layout.union(names.objects for names in own))
    instructions = sorted({task for table in tables.values() for task in _instructions(table)})

    episodes = frames = 0
    statistics: dict[str, list[Statistics]] = {}
    for number, table in tables.items():
        if _image_sizes(table) != sizes:
            raise DataError(
                f"{root}: shard {number} has images {_image_sizes(table)}, the first one {sizes}"
            )
        task_index = [instructions.index(task) for task in _instructions(table)]
        parts = _renumber(paths[number], table, names, task_index, episodes, frames)
        for key, of_episodes in parts.items():
            statistics.setdefault(key, []).extend(of_episodes)
        episodes += len(table)
        frames += sum(table["length"].to_pylist())

    with renamed(root / layout.TASKS_PATH) as partial:
        pq.write_table(layout.tasks_table(instructions), partial)
    totals = {key: _as_lists(aggregate(parts)) for key, parts in statistics.items()}
    write_json(root / layout.STATS_PATH, totals)
    info = layout.info(
        robot_type=robot_type,
        fps=fps,
        episodes=episodes,
        frames=frames,
        tasks=len(instructions),
        image_sizes=sizes,
        names=names,
    )
    rows = [row for table in tables.values() for row in table.select(CARD_COLUMNS).to_pylist()]
    with renamed(root / layout.CARD_PATH) as partial:
        partial.write_text(dataset_card(info, rows, origin), encoding="utf-8")
    if origin is not None:
        write_json(root / ORIGIN_PATH, dataclasses.asdict(origin))
    write_json(root / layout.INFO_PATH, info)  # last: its presence says that all the rest is there


def _renumber(
    paths: dict[str, Path],
    table: pa.Table,
    names: layout.Names,
    task_index: list[int],
    first_episode: int,
    first_frame: int,
) -> dict[str, list[Statistics]]:
    """Sets what depends on the shards before; returns each column's statistics per episode."""
    values = _frame_values(paths["data"], names)
    lengths = np.array(table["length"].to_pylist())
    ends = np.cumsum(lengths)
    starts = ends - lengths
    values["episode_index"] = np.repeat(first_episode + np.arange(len(lengths)), lengths)
    values["index"] = first_frame + np.arange(ends[-1])
    values["task_index"] = np.repeat(task_index, lengths)
    write_frames(paths["data"], frames_table(values, names))

    table = _replaced(table, "episode_index", pa.array(first_episode + np.arange(len(lengths))))
    table = _replaced(table, "dataset_from_index", pa.array(first_frame + starts))
    table = _replaced(table, "dataset_to_index", pa.array(first_frame + ends))
    statistics: dict[str, list[Statistics]] = {}
    for column in layout.columns(names):
        rows = values[column.key]
        parts = [column_statistics(rows[a:b]) for a, b in zip(starts, ends, strict=True)]
        statistics[column.key] = parts
        for name in parts[0]:
            lists = pa.array([part[name].tolist() for part in parts])
            table = _replaced(table, f"stats/{column.key}/{name}", lists)
    for camera in _image_sizes(table):
        prefix = f"stats/{layout.IMAGE_PREFIX}{camera}/"
        columns = [name for name in table.column_names if name.startswith(prefix)]
        statistics[layout.IMAGE_PREFIX + camera] = [
            {name[len(prefix) :]: np.array(value) for name, value in row.items()}
            for row in table.select(columns).to_pylist()
        ]
    with renamed(paths["episodes"]) as partial:
        pq.write_table(table, partial)
    return statistics


def _frame_values(path: Path, names: layout.Names) -> dict[str, np.ndarray]:
    """A data file's values by column, with the objects of the whole dataset; absent ones zero."""
    table, own = pq.read_table(path), _names(path)
    values = {
        column.key: layout.column_values(table, column, path) for column in layout.columns(own)
    }
    for column in layout.object_columns(names.objects):
        scene = values.get(column.key, np.zeros((len(table), 0), column.dtype))
        each = len(column.names) // len(names.objects)
        scene = scene.reshape(len(table), len(own.objects), each)
        values[column.key] = layout.spread(scene, own.objects, names.objects)
    return values


def _drop_orphans(root: Path, numbers: list[int]) -> None:
    """Removes frames and videos of shards that were not completed: lerobot reads all it finds."""
    for path in [*root.glob("data/*/file-*.parquet"), *root.glob("videos/*/*/file-*.mp4")]:
        chunk, file = int(path.parent.name.split("-")[1]), int(path.stem.split("-")[1])
        if chunk * layout.FILES_PER_CHUNK + file not in numbers:
            path.unlink()


def _image_sizes(episodes: pa.Table) -> dict[str, tuple[int, int]]:
    """(height, width) in px per camera."""
    return {
        name: (h, w) for name, (h, w) in json.loads(episodes.schema.metadata[IMAGE_SIZES]).items()
    }


def _instructions(episodes: pa.Table) -> list[str]:
    return [task for (task,) in episodes["tasks"].to_pylist()]


def _names(path: Path) -> layout.Names:
    metadata = pq.read_schema(path).metadata
    joints = metadata.get(JOINT_NAMES)  # absent from shards that only the simulated rig wrote
    return layout.Names(
        tuple(json.loads(joints)) if joints else SIMULATED_JOINTS,
        tuple(json.loads(metadata[OBJECT_NAMES])),
    )


def _replaced(table: pa.Table, name: str, array: pa.Array) -> pa.Table:
    """The table with a column replaced, or added at the end."""
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, array)
    return table.append_column(name, array)


def _as_lists(statistics: Statistics) -> dict[str, list[Any]]:
    return {name: value.tolist() for name, value in statistics.items()}

"""Where LeRobot datasets of other people keep an episode, by version; also in unusual places.

Versions 2.0 and 2.1 have a parquet file and a video a camera for each episode, and lists of JSON
lines in ``meta``. Version 3.0 keeps many episodes in a file; tables in ``meta/episodes`` say where.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wm_planner.errors import DataError

INFO = "meta/info.json"
_DATA_V2 = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
_VIDEO_V2 = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
_DATA_V3 = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO_V3 = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
VIDEO_ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov")


@dataclass(frozen=True)
class Clip:
    """Part of a video file.

    Attributes:
        path: of the file.
        begin_s: its first frame's time in the file, s.
        end_s: the time of the first frame that belongs to it no more; None for all that follow.
    """

    path: Path
    begin_s: float = 0.0
    end_s: float | None = None


class LeRobotFiles(Protocol):
    """A dataset's files.

    Attributes:
        instructions: what was to be done, by the number of each episode that is said to exist.
    """

    instructions: dict[int, str]

    def rows(self, number: int) -> pa.Table:
        """Return an episode's rows; raises DataError where there are none."""
        ...

    def clip(self, number: int, key: str) -> Clip:
        """Return where an episode's video is; raises DataError where there is none."""
        ...


def find_dataset(path: Path) -> Path:
    """Return the folder of the dataset that a path means: itself, one above, or the one below.

    Raises:
        DataError: there is none, or there are several below.
    """
    for folder in (path, *list(path.resolve().parents)[:2]):
        if (folder / INFO).is_file():
            return folder
    below = sorted(path.glob(f"*/{INFO}")) or sorted(path.glob(f"*/*/{INFO}"))
    folders = [found.parents[1] for found in below]
    if len(folders) == 1:
        return folders[0]
    if folders:
        names = ", ".join(str(folder.relative_to(path)) for folder in folders[:5])
        names += ", ..." if len(folders) > 5 else ""
        raise DataError(f"{path} holds several datasets: {names}; name those that are meant")
    raise DataError(f"{path} is not a LeRobot dataset: it has no {INFO}")


def open_files(root: Path, info: dict[str, Any]) -> LeRobotFiles:
    """Open a dataset whose ``meta/info.json`` was read."""
    version = str(info.get("codebase_version", ""))
    if version in ("v2.0", "v2.1"):
        return FilesV2(root, info)
    if version == "v3.0":
        return FilesV3(root, info)
    raise DataError(
        f"{root / INFO}: codebase_version is {version or 'missing'}, expected v2.0, v2.1 or v3.0"
    )


class FilesV2:
    """Versions 2.0 and 2.1.

    Args:
        root: of the dataset.
        info: its ``meta/info.json``.
    """

    def __init__(self, root: Path, info: dict[str, Any]) -> None:
        self._root, self._info = root, info
        listed = _json_lines(root / "meta" / "episodes.jsonl")
        self.instructions: dict[int, str] = {}
        for row in listed:
            tasks = row.get("tasks") or [""]
            first = tasks if isinstance(tasks, str) else tasks[0]
            self.instructions[int(row["episode_index"])] = str(first or "")
        for path in self._found(".parquet"):
            self.instructions.setdefault(_number(path), "")
        if not self.instructions:
            raise DataError(f"{root}: has no episodes")
        self._tasks = {
            row.get("task_index"): str(row.get("task") or "")
            for row in _json_lines(root / "meta" / "tasks.jsonl")
        }

    def rows(self, number: int) -> pa.Table:
        path = self._place("data_path", _DATA_V2, number)
        if not path.is_file():
            path = _only(self._found(".parquet", number), f"no rows: {path} is missing")
        table = _read_table(path)
        self.instructions[number] = self.instructions[number] or _task(table, self._tasks)
        return table

    def clip(self, number: int, key: str) -> Clip:
        path = self._place("video_path", _VIDEO_V2, number, video_key=key)
        if not path.is_file():
            names = {key, key.rpartition(".")[2]}
            found = [
                path
                for ending in VIDEO_ENDINGS
                for path in self._found(ending, number)
                if names & set(path.parts)
            ]
            path = _only(found, f"its video of {key} is missing")
        return Clip(path)

    def _place(self, setting: str, usual: str, number: int, **more: str) -> Path:
        chunk = number // int(self._info.get("chunks_size") or 1000)
        template = self._info.get(setting) or usual
        return self._root / template.format(episode_chunk=chunk, episode_index=number, **more)

    @cached_property
    def _everywhere(self) -> list[Path]:
        return sorted(path for path in self._root.rglob("episode_*") if path.is_file())

    def _found(self, ending: str, number: int | None = None) -> list[Path]:
        """Files of episodes, wherever they are."""
        return [
            path
            for path in self._everywhere
            if path.suffix.lower() == ending
            and _number(path) >= 0
            and number in (None, _number(path))
        ]


class FilesV3:
    """Version 3.0.

    Args:
        root: of the dataset.
        info: its ``meta/info.json``.
    """

    def __init__(self, root: Path, info: dict[str, Any]) -> None:
        self._root, self._info = root, info
        paths = sorted((root / "meta" / "episodes").rglob("*.parquet"))
        if not paths:
            raise DataError(f"{root}: has no tables of episodes in meta/episodes")
        rows = [row for path in paths for row in _read_table(path, statistics=False).to_pylist()]
        self._rows = {int(row["episode_index"]): row for row in rows}
        self.instructions = {
            number: str((row.get("tasks") or [""])[0] or "") for number, row in self._rows.items()
        }
        tasks = root / "meta" / "tasks.parquet"
        self._tasks: dict[Any, str] = {}
        if tasks.is_file():
            for row in _read_table(tasks).to_pylist():
                text = row.get("task", row.get("__index_level_0__"))
                self._tasks[row.get("task_index")] = str(text or "")

    def rows(self, number: int) -> pa.Table:
        row = self._rows[number]
        path = self._place("data_path", _DATA_V3, row, "data")
        if not path.is_file():
            raise DataError(f"no rows: {path} is missing")
        table = _read_table(path)
        if "episode_index" not in table.column_names:
            raise DataError(f"{path}: has no column 'episode_index'")
        table = table.filter(pc.equal(table["episode_index"], number))
        if not len(table):
            raise DataError(f"no rows: {path} has none of this episode")
        self.instructions[number] = self.instructions[number] or _task(table, self._tasks)
        return table

    def clip(self, number: int, key: str) -> Clip:
        row, prefix = self._rows[number], f"videos/{key}"
        if row.get(f"{prefix}/file_index") is None:
            raise DataError(f"meta/episodes does not say where its video of {key} is")
        path = self._place("video_path", _VIDEO_V3, row, prefix, video_key=key)
        if not path.is_file():
            raise DataError(f"its video of {key} is missing")
        times = [row.get(f"{prefix}/{end}_timestamp") for end in ("from", "to")]
        return Clip(path, float(times[0] or 0.0), None if times[1] is None else float(times[1]))

    def _place(
        self, setting: str, usual: str, row: dict[str, Any], prefix: str, **more: str
    ) -> Path:
        place = {name: row.get(f"{prefix}/{name}") or 0 for name in ("chunk_index", "file_index")}
        return self._root / (self._info.get(setting) or usual).format(**place, **more)


def _read_table(path: Path, statistics: bool = True) -> pa.Table:
    """Read a parquet file; without `statistics`, leave out LeRobot's columns of them."""
    try:
        # Not by path: pyarrow would take folders called name=value for more columns.
        with path.open("rb") as file:
            table = pq.ParquetFile(file)
            names = [
                n for n in table.schema_arrow.names if statistics or not n.startswith("stats/")
            ]
            return table.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read ({_first_line(error)})") from error


def _task(table: pa.Table, tasks: dict[Any, str]) -> str:
    """What the rows themselves say was to be done."""
    if "task_index" not in table.column_names or not len(table):
        return ""
    return tasks.get(table["task_index"][0].as_py(), "")


def _only(paths: list[Path], otherwise: str) -> Path:
    if len(paths) != 1:
        raise DataError(otherwise)
    return paths[0]


def _number(path: Path) -> int:
    digits = path.stem.rpartition("_")[2]
    return int(digits) if digits.isdigit() else -1


def _json_lines(path: Path) -> list[dict[str, Any]]:
    """Lines that are objects; others, as a writer that was killed leaves them, are passed over."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

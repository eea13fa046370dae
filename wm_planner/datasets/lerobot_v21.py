"""Reads LeRobot v2.1 datasets of other people's robots: joints by name and videos, as recorded.

In v2.1 every episode has a parquet file and a video file per camera of its own. Names of joints
stand in ``meta/info.json``, sometimes in a list within a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wm_planner.datasets.video import decode_video
from wm_planner.errors import DataError, UnknownNameError

VERSION = "v2.1"
STATE, ACTION, IMAGE_PREFIX = "observation.state", "action", "observation.images."


@dataclass(frozen=True, eq=False)
class RecordedJoints:
    """One episode's N rows of joints.

    Attributes:
        number: of the episode in its dataset.
        instruction: what was to be done.
        state: Shape (N, J), measured.
        action: Shape (N, J), commanded at the same times.
    """

    number: int
    instruction: str
    state: np.ndarray
    action: np.ndarray


class LeRobotV21:
    """A dataset as it was published; J joints.

    Attributes:
        root: its folder.
        fps: rows and frames a second.
        cameras: their names.
        numbers: of the episodes whose rows are there.
    """

    def __init__(self, root: Path) -> None:
        """Read the metadata."""
        self.root = root
        path = root / "meta" / "info.json"
        if not path.exists():
            raise DataError(f"{root} is not a LeRobot dataset: it has no meta/info.json")
        info = json.loads(path.read_text(encoding="utf-8"))
        version = info.get("codebase_version")
        if version != VERSION:
            raise DataError(f"{path}: codebase_version is {version}, expected {VERSION}")
        self.fps: int = info["fps"]
        self._info, self._features = info, info["features"]
        self.cameras = tuple(
            key.removeprefix(IMAGE_PREFIX) for key in self._features if key.startswith(IMAGE_PREFIX)
        )
        rows = _json_lines(root / "meta" / "episodes.jsonl")
        self._instruction = {row["episode_index"]: str((row["tasks"] or [""])[0]) for row in rows}
        self.numbers = tuple(n for n in sorted(self._instruction) if self._data_path(n).exists())

    def joints(self, number: int, names: Sequence[str]) -> RecordedJoints:
        """Return an episode's joints in the order of some names.

        Raises:
            DataError: there is no such episode, or it lacks a joint; naming it.
        """
        if number not in self.numbers:
            raise DataError(f"{self.root}: has no rows of episode {number}")
        path = self._data_path(number)
        table = pq.read_table(path)
        state, action = (self._columns(table, key, names, path) for key in (STATE, ACTION))
        return RecordedJoints(number, self._instruction[number], state, action)

    def video_path(self, number: int, camera: str) -> Path:
        """Return where an episode's video is, or would be: some datasets are published in part."""
        if camera not in self.cameras:
            raise UnknownNameError(f"camera of {self.root}", camera, self.cameras)
        chunk = number // self._info["chunks_size"]
        name = self._info["video_path"].format(
            episode_chunk=chunk, episode_index=number, video_key=IMAGE_PREFIX + camera
        )
        return self.root / str(name)

    def frames(self, number: int, camera: str) -> Iterator[np.ndarray]:
        """Yield an episode's pictures (h, w, 3) uint8 RGB, one for each of its rows."""
        return decode_video(self.video_path(number, camera))

    def _data_path(self, number: int) -> Path:
        chunk = number // self._info["chunks_size"]
        name = self._info["data_path"].format(episode_chunk=chunk, episode_index=number)
        return self.root / str(name)

    def _columns(self, table: pa.Table, key: str, names: Sequence[str], path: Path) -> np.ndarray:
        known = _flat(self._features[key]["names"])
        missing = [name for name in names if name not in known]
        if missing:
            raise DataError(
                f"{path}: {key} lacks {', '.join(missing)}; it has {', '.join(known)}. The rig "
                "file's message_names and message_joints must be the recorded names"
            )
        values = np.stack(table[key].to_numpy()).astype(np.float64)
        values = values[:, [known.index(name) for name in names]]
        if not np.isfinite(values).all():
            raise DataError(f"{path}: {key} holds a value that is not finite")
        return values


def _flat(names: Any) -> list[str]:
    """Names of a feature, however deep they lie."""
    if isinstance(names, str):
        return [names]
    children = names.values() if isinstance(names, dict) else names or []
    return [name for child in children for name in _flat(child)]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        raise DataError(f"{path} is missing")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]

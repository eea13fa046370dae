"""Reads LeRobot datasets of other people's robots, v2.0 to v3.0: joints by name, and pictures."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wm_planner.datasets.lerobot_files import INFO, Clip, find_dataset, open_files
from wm_planner.datasets.recording import JointTrack, Pictures, Recording, check_range
from wm_planner.datasets.video import frame_times, frames_at
from wm_planner.errors import DataError, UnknownNameError
from wm_planner.observing.joint_reader import split_joints
from wm_planner.robot.robot_model import RobotModel

STATE, ACTION, IMAGE_PREFIX = "observation.state", "action", "observation.images."
_NS = 1e9


class LeRobotSource:
    """A dataset as it was published.

    Args:
        path: its folder, or one beside or around it.
        robot: whose joints are looked for.
        cameras: name in the rig to name in the dataset.
        instruction: for episodes that have none.
        episodes: numbers to take; None for all.
        without: numbers to leave out.

    Attributes:
        name: of the folder.
        keys: numbers of the episodes.
    """

    def __init__(
        self,
        path: Path,
        robot: RobotModel,
        cameras: Mapping[str, str],
        instruction: str = "",
        episodes: Collection[int] | None = None,
        without: Collection[int] = (),
    ) -> None:
        root = find_dataset(path)
        self.name = root.resolve().name
        info = _read_info(root / INFO)
        self._robot, self._instruction = robot, instruction
        self._features: dict[str, Any] = info["features"]
        self._fps = float(info["fps"])
        self._files = open_files(root, info)
        self._keys = {name: self._camera_key(recorded) for name, recorded in cameras.items()}
        known = sorted(self._files.instructions)
        taken = known if episodes is None else [n for n in known if n in episodes]
        self.keys = tuple(str(number) for number in taken if number not in without)

    def read(self, key: str) -> Recording:
        """Return an episode.

        Raises:
            DataError: a joint or a video is missing or damaged.
        """
        number, notes = int(key), []
        table = self._files.rows(number)
        kept = self._distinct(table)
        if len(kept) < len(table):
            notes.append(f"{len(table) - len(kept)} rows left out, their frame_index comes twice")
        stamps = np.round(np.arange(len(kept)) * (_NS / self._fps)).astype(np.int64)
        measured, commanded = self._track(table, STATE, kept, stamps), None
        if ACTION in table.column_names:
            commanded = self._track(table, ACTION, kept, stamps)
        else:
            notes.append("no commands: a frame's target is where the joints were at the next")
        robot = self._robot
        limits = robot.position_lower, robot.position_upper
        check_range(
            measured.arms,
            *limits,
            robot.rig.hands[0].message_names + robot.rig.hands[1].message_names,
        )
        pictures = {}
        for name, feature in self._keys.items():
            if self._features[feature].get("dtype") == "image":
                pictures[name] = _stored(table, feature, kept, stamps)
                continue
            pictures[name], note = _filmed(
                self._files.clip(number, feature), kept, len(table), stamps
            )
            notes += [f"camera {name}: {note}"] if note else []
        instruction = self._files.instructions[number].strip() or self._instruction
        if not instruction:
            notes.append("no instruction")
        return Recording(instruction, measured, commanded, pictures, tuple(notes))

    def _distinct(self, table: pa.Table) -> np.ndarray:
        """Rows in their order, each frame once, shape (N,)."""
        if "frame_index" not in table.column_names:
            return np.arange(len(table))
        index = table["frame_index"].to_numpy().reshape(-1)
        return np.sort(np.unique(index, return_index=True)[1])

    def _track(self, table: pa.Table, key: str, rows: np.ndarray, stamps: np.ndarray) -> JointTrack:
        if key not in table.column_names:
            raise DataError(f"has no column {key!r}")
        wanted = self._robot.rig.message_joint_names
        known = flat_names(self._features.get(key, {}).get("names"))
        known = known or flat_names(self._features.get(STATE, {}).get("names"))
        missing = [name for name in wanted if name not in known]
        if missing:
            raise DataError(
                f"{key} lacks {', '.join(missing)}; it has {', '.join(known) or 'no names'}. The "
                "rig file's message_names and message_joints must be the recorded names"
            )
        values = np.stack(table[key].to_numpy()).astype(np.float64)[rows]
        if values.ndim != 2 or values.shape[1] != len(known):
            raise DataError(f"{key} has {values.shape[1:]} values for {len(known)} names")
        values = values[:, [known.index(name) for name in wanted]]
        if not np.isfinite(values).all():
            raise DataError(f"{key} holds a value that is not finite")
        return JointTrack(stamps, *split_joints(self._robot.rig, values))

    def _camera_key(self, name: str) -> str:
        pictures = [k for k, f in self._features.items() if f.get("dtype") in ("video", "image")]
        for key in pictures:
            if name in (key, key.removeprefix(IMAGE_PREFIX)):
                return key
        known = [key.removeprefix(IMAGE_PREFIX) for key in pictures]
        raise UnknownNameError(f"camera of {self.name}", name, known)


def flat_names(names: Any) -> list[str]:
    """Names of a feature, however deep they lie; a mapping to numbers is sorted by these."""
    if isinstance(names, str):
        return [names]
    if isinstance(names, dict):
        if names and all(isinstance(value, int) for value in names.values()):
            return sorted(names, key=lambda name: int(names[name]))
        names = list(names.values())
    return [name for child in names or [] for name in flat_names(child)]


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        fps = float(info["fps"])
        if not isinstance(info["features"], dict) or not 0.0 < fps < np.inf:
            raise ValueError(f"fps is {fps}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be used ({type(error).__name__}: {error})") from error
    if "target.hand_pose" in info["features"]:
        raise DataError(
            f"{path}: is a dataset of this project already; `wm-planner train --data` takes "
            "several, `wm-planner split` splits one"
        )
    return dict(info)


def _filmed(
    clip: Clip, rows: np.ndarray, recorded: int, stamps: np.ndarray
) -> tuple[Pictures, str]:
    """Pictures of a video: one for each row where there are as many, else by their times."""
    shown, unit_s = _frame_times(clip.path)
    seconds = (shown - shown[:1]) * float(unit_s)
    period_s = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    begin = int(np.searchsorted(seconds, clip.begin_s - period_s / 2))
    end = len(shown)
    if clip.end_s is not None:
        end = int(np.searchsorted(seconds, clip.end_s - period_s / 2))
    shown, seconds = shown[begin:end], seconds[begin:end]
    if len(shown) < 2:
        raise DataError(f"{clip.path}: holds {len(shown)} frames for {recorded} rows")
    times, note = stamps, ""
    if len(shown) == recorded:
        shown = shown[rows]
    else:
        times = np.round((seconds - seconds[0]) * _NS).astype(np.int64)
        note = f"{len(shown)} frames for {recorded} rows, matched by time"

    def read(numbers: np.ndarray) -> Iterator[np.ndarray]:
        return frames_at(clip.path, shown[numbers])

    return Pictures(times, read), note


@lru_cache(maxsize=8)
def _frame_times(path: Path) -> tuple[np.ndarray, Any]:
    return frame_times(path)  # of a file with many episodes only once


def _stored(table: pa.Table, key: str, rows: np.ndarray, stamps: np.ndarray) -> Pictures:
    """Pictures that lie in the table itself, as PNG or JPEG."""
    column = table[key]

    def read(numbers: np.ndarray) -> Iterator[np.ndarray]:
        import cv2  # only where pictures are stored like this

        for number in rows[numbers]:
            data = (column[int(number)].as_py() or {}).get("bytes")
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
            if image is None:
                raise DataError(f"{key}: the picture of row {number} does not decode")
            yield image[..., ::-1]

    return Pictures(stamps, read)

"""Reads a finished LeRobot dataset of ours as numpy arrays over all frames."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wm_planner.datasets import lerobot_format as layout
from wm_planner.datasets.frame_cache import cached_frames
from wm_planner.datasets.origin import read_origin
from wm_planner.errors import DataError, UnknownNameError

_CACHE_FOLDER = ".frames"


class LeRobotDataset:
    """Every frame of every episode; F frames, E episodes, M objects.

    Frames of episode e are ``episode_offsets[e]`` to ``episode_offsets[e + 1]``. Arrays are
    read-only.

    Attributes:
        root: The dataset's folder.
        robot_type: Name of the rig it was recorded on.
        fps: Frames per second.
        cameras: Camera name to image (height, width), [px].
        episode_offsets: Shape (E + 1,), int64.
        origin: Where the episodes come from; None where they were recorded here.
        recording: Which recording each episode was made of, counted from 0: several where an import
            made several of each, else as many as episodes. Shape (E,), int64.
        recording_names: What they are called where they were published; else numbers of episodes.
        joint_names: Names of the D arm joints.
        joint_position: Shape (F, D), [rad].
        joint_velocity: Shape (F, D), [rad/s].
        gripper_width: Measured. Shape (F, 2), [m].
        hand_pose: Measured, packed and absolute as in `wm_planner.actions.pack`. Shape (F, 20).
        hand_target: Commanded for the next frame, packed and absolute. Shape (F, 20).
        action: The 20-D action from `hand_pose` to `hand_target`. Shape (F, 20).
        step_good: Whether the action is part of good behaviour. Shape (F,).
        object_names: M names.
        object_position: Base frame, zeros where the scene has no such object. Shape (F, M, 3),
            [m].
        object_visible: Whether the scene has the object. Shape (F, M).
        task: Name of each episode's task. Shape (E,), str.
        instruction: Shape (E,), str, empty for none.
        kind: See `wm_planner.datasets.episode.KINDS`. Shape (E,), str.
        success: Shape (E,), bool.
        seed: Shape (E,), int64.
    """

    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_width: np.ndarray
    hand_pose: np.ndarray
    hand_target: np.ndarray
    action: np.ndarray
    step_good: np.ndarray
    object_position: np.ndarray
    object_visible: np.ndarray

    def __init__(self, root: Path | str) -> None:
        """Reads everything but the images.

        Args:
            root: Folder of a dataset written by `wm-planner collect` or `wm-planner import`.
        """
        self.root = Path(root)
        info = self._read_info()
        self.robot_type: str = info["robot_type"]
        self.fps: int = info["fps"]
        features = info["features"]
        self.cameras: dict[str, tuple[int, int]] = {
            key[len(layout.IMAGE_PREFIX) :]: (feature["shape"][0], feature["shape"][1])
            for key, feature in features.items()
            if feature["dtype"] == "video"
        }
        visible = features.get("simulator.object_visible", {"names": []})
        self.object_names: tuple[str, ...] = tuple(visible["names"])
        self.joint_names: tuple[str, ...] = tuple(features["observation.state"]["names"])
        self.origin = read_origin(self.root)
        self._read_episodes(info)
        phases = self.origin.phases if self.origin else 1
        self.recording = _frozen(np.arange(len(self)) // phases)
        numbers = (f"episode {number}" for number in range(len(self)))
        self.recording_names = self.origin.episodes if self.origin else tuple(numbers)
        self._read_frames(info)

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.episode_offsets) - 1

    @property
    def content_hash(self) -> str:
        """sha256 over the content of all data, episode and video files."""
        digest = hashlib.sha256()
        patterns = ("data/*/*.parquet", "meta/episodes/*/*.parquet", "videos/*/*/*.mp4")
        for path in sorted(path for pattern in patterns for path in self.root.glob(pattern)):
            digest.update(path.relative_to(self.root).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def frames(self, camera: str, episode: int | None = None) -> np.ndarray:
        """Images of a camera, of the whole dataset or of one episode.

        The first call decodes all videos of the camera into one file in the dataset's folder, which
        takes a while and 3 h w bytes a frame.

        Returns:
            Shape (F, h, w, 3) or (frames of the episode, h, w, 3), uint8 RGB, mapped from disk.
        """
        if camera not in self.cameras:
            raise UnknownNameError("camera", camera, self.cameras)
        if camera not in self._frames:
            videos = [
                (layout.file_paths(self.root, number, (camera,))[camera], count)
                for number, count in self._frames_per_file.items()
            ]
            self._frames[camera] = cached_frames(
                self.root / _CACHE_FOLDER, camera, videos, self.cameras[camera]
            )
        frames = self._frames[camera]
        if episode is None:
            return frames
        return frames[self.episode_offsets[episode] : self.episode_offsets[episode + 1]]

    def _read_info(self) -> dict:
        path = self.root / layout.INFO_PATH
        if not path.exists():
            raise DataError(
                f"{self.root} is not a finished dataset: it has no {layout.INFO_PATH}. If "
                "collecting was interrupted, run the same wm-planner collect again."
            )
        info = json.loads(path.read_text(encoding="utf-8"))
        if info.get("codebase_version") != layout.CODEBASE_VERSION:
            raise DataError(
                f"{path}: codebase_version is {info.get('codebase_version')}, expected "
                f"{layout.CODEBASE_VERSION}"
            )
        return info

    def _read_episodes(self, info: dict) -> None:
        paths = sorted((self.root / "meta" / "episodes").glob("*/*.parquet"))
        columns = ["length", "task_name", "tasks", "kind", "success", "seed"]
        columns += ["data/chunk_index", "data/file_index", "episode_index"]
        table = pa.concat_tables(pq.read_table(path, columns=columns) for path in paths)
        rows = table.to_pylist()
        if [row["episode_index"] for row in rows] != list(range(info["total_episodes"])):
            raise DataError(
                f"{self.root}: episodes are not numbered 0 to {info['total_episodes'] - 1}"
            )
        lengths = np.array([row["length"] for row in rows], np.int64)
        self._frames_per_file: dict[int, int] = {}
        for row in rows:
            number = row["data/chunk_index"] * layout.FILES_PER_CHUNK + row["data/file_index"]
            self._frames_per_file[number] = self._frames_per_file.get(number, 0) + row["length"]
        self._frames: dict[str, np.ndarray] = {}
        self.episode_offsets = _frozen(np.concatenate([[0], np.cumsum(lengths)]))
        self.task = _frozen(np.array([row["task_name"] for row in rows]))
        self.instruction = _frozen(np.array([row["tasks"][0] for row in rows]))
        self.kind = _frozen(np.array([row["kind"] for row in rows]))
        self.success = _frozen(np.array([row["success"] for row in rows], np.bool_))
        self.seed = _frozen(np.array([row["seed"] for row in rows], np.int64))

    def _read_frames(self, info: dict) -> None:
        columns = (
            *layout.joint_columns(self.joint_names),
            *layout.COLUMNS,
            *layout.object_columns(self.object_names),
        )
        parts: dict[str, list[np.ndarray]] = {column.field: [] for column in columns}
        for number, count in self._frames_per_file.items():
            path = layout.file_paths(self.root, number, ())["data"]
            if not path.exists():
                raise DataError(f"{path} is missing")
            table = pq.read_table(path)
            if len(table) != count:
                raise DataError(f"{path}: holds {len(table)} frames, meta/episodes says {count}")
            for column in columns:
                parts[column.field].append(layout.column_values(table, column, path))
        frames = info["total_frames"]
        objects = len(self.object_names)
        parts.setdefault("object_position", [np.zeros((frames, 0), np.float32)])
        parts.setdefault("object_visible", [np.zeros((frames, 0), np.bool_)])
        for name, values in parts.items():
            array = np.concatenate(values)
            if len(array) != frames:
                raise DataError(f"{self.root}: {len(array)} frames of {name}, info says {frames}")
            if name == "object_position":
                array = array.reshape(frames, objects, 3)
            setattr(self, name, _frozen(array))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array

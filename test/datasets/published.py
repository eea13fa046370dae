"""LeRobot datasets as others publish them, v2.0 to v3.0: joints in an order of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wm_planner.robot.robot_model import RobotModel

FPS, STRIDE = 30, 6
LENGTHS = {0: 31, 1: 40, 3: 29}
KEY = "observation.images.cam_high"
INSTRUCTION = "Pick up the can."
SIZE = (48, 64)
CODECS = {"h264": "libx264", "mpeg4": "mpeg4", "av1": "libsvtav1"}


def recorded(robot: RobotModel, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Measured and commanded joints, shape (N, 26) each, in the order of the rig's names."""
    rig, generator = robot.rig, np.random.default_rng(number)
    seconds = np.arange(LENGTHS[number])[:, None] / FPS
    speed = generator.uniform(-0.4, 0.4, 26)
    rest = np.concatenate([rig.home, np.full(12, 0.7)])
    return rest + speed * seconds, rest + speed * (seconds + 0.15)


def shades(length: int, first: int = 0) -> np.ndarray:
    """Frames that tell their number by their brightness, shape (N, 48, 64, 3)."""
    levels = np.repeat(4 * np.arange(first, first + length, dtype=np.uint8) + 40, 48 * 64 * 3)
    return levels.reshape(length, 48, 64, 3)


def numbers_shown(frames: np.ndarray) -> np.ndarray:
    """The inverse of `shades`, as far as a codec lets it."""
    return (np.asarray(frames).mean(axis=(1, 2, 3)) - 40) / 4


@contextmanager
def scheduling_kept() -> Iterator[None]:
    """Undo what SVT-AV1 does where it may: it makes the calling thread a real-time one.

    Every thread and process that is started from there inherits that, and those of a ROS graph
    then keep each other from running for minutes.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def film(path: Path, frames: np.ndarray, codec: str = "h264") -> Path:
    """Encode frames as other people's recorders do: 4:2:0, long groups of pictures, B-frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"libsvtav1": {"crf": "20", "preset": "12", "svtav1-params": "lp=1"}}
    with scheduling_kept(), av.open(str(path), "w") as container:
        name = CODECS[codec]
        stream = container.add_stream(name, rate=FPS, options=options.get(name, {}))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.gop_size = "yuv420p", 20
        if codec == "mpeg4":
            stream.bit_rate = 4_000_000
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def publish(
    root: Path,
    robot: RobotModel,
    version: str = "v2.1",
    codec: str = "h264",
    without_video: Sequence[int] = (),
    instruction: str = INSTRUCTION,
) -> Path:
    """Write a dataset of the episodes of `LENGTHS`."""
    names = list(robot.rig.message_joint_names)
    order = np.random.default_rng(9).permutation(len(names))
    shuffled = [names[i] for i in order]
    v3 = version == "v3.0"
    file = "file-{file_index:03d}" if v3 else "episode_{episode_index:06d}"
    chunk = "chunk-{chunk_index:03d}" if v3 else "chunk-{episode_chunk:03d}"
    videos = "videos/{video_key}/" + chunk if v3 else "videos/" + chunk + "/{video_key}"
    write(root / "meta" / "info.json", json.dumps({
        "codebase_version": version, "fps": FPS, "chunks_size": 1000,
        "features": {
            "observation.state": {"dtype": "float32", "names": [shuffled]},
            "action": {"dtype": "float32", "names": {"motors": shuffled}},
            KEY: {"dtype": "video", "names": ["height", "width", "channel"]},
        },
        "data_path": f"data/{chunk}/{file}.parquet",
        "video_path": f"{videos}/{file}.mp4",
    }))  # fmt: skip
    tables = {}
    for number, length in LENGTHS.items():
        state, action = (values[:, order] for values in recorded(robot, number))
        tables[number] = pa.table({
            "observation.state": list(state), "action": list(action),
            "frame_index": np.arange(length), "timestamp": np.arange(length) / FPS,
            "episode_index": np.full(length, number), "task_index": np.zeros(length, int),
        })  # fmt: skip
    if v3:
        _publish_v3(root, tables, codec, without_video, instruction)
        return root
    rows = [
        {"episode_index": n, "tasks": [instruction] if instruction else [], "length": length}
        for n, length in LENGTHS.items()
    ]
    write(root / "meta" / "episodes.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    task = {"task_index": 0, "task": instruction}
    write(root / "meta" / "tasks.jsonl", json.dumps(task) + "\n")
    if version == "v2.0":
        write(root / "meta" / "stats.json", "{}")
    else:
        write(root / "meta" / "episodes_stats.jsonl", "")
    for number, table in tables.items():
        path = root / "data" / "chunk-000" / f"episode_{number:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        if number not in without_video:
            video = root / "videos" / "chunk-000" / KEY / f"episode_{number:06d}.mp4"
            film(video, shades(LENGTHS[number]), codec)
    return root


def _publish_v3(
    root: Path,
    tables: dict[int, pa.Table],
    codec: str,
    without_video: Sequence[int],
    instruction: str,
) -> None:
    """All rows in one file; the videos in one as well, in which each has its own shades."""
    data = root / "data" / "chunk-000" / "file-000.parquet"
    data.parent.mkdir(parents=True)
    pq.write_table(pa.concat_tables(list(tables.values())), data)
    filmed = [n for n in tables if n not in without_video]
    frames = [shades(LENGTHS[n]) for n in filmed]
    film(root / "videos" / KEY / "chunk-000" / "file-000.mp4", np.concatenate(frames), codec)
    rows, begin, shown = [], 0, 0
    for number, table in tables.items():
        row = {
            "episode_index": number, "tasks": [instruction] if instruction else [],
            "length": len(table), "data/chunk_index": 0, "data/file_index": 0,
            "dataset_from_index": begin, "dataset_to_index": begin + len(table),
            "stats/action/mean": [0.0],
        }  # fmt: skip
        has = number in filmed
        row[f"videos/{KEY}/chunk_index"] = 0 if has else None
        row[f"videos/{KEY}/file_index"] = 0 if has else None
        row[f"videos/{KEY}/from_timestamp"] = shown / FPS
        shown += len(table) if has else 0
        row[f"videos/{KEY}/to_timestamp"] = shown / FPS
        rows.append(row)
        begin += len(table)
    path = root / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    tasks = pa.table({"task_index": [0], "task": [instruction]})
    pq.write_table(tasks, root / "meta" / "tasks.parquet")

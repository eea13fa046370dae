"""How fast bags are read and decoded, without planning, and whether memory stays flat.

    python benchmarks/replay.py [--seconds 4] [--folder DIR]

Writes bags of one 640x480 camera at 30 Hz and joints at 100 Hz, raw and as JPEG, mcap and sqlite3,
reads every message, unpacks it and decodes every picture; the same with bags 4 and 16 times as
long. Processor time is what the process used, wall time what went by. What is told last is what a
second of recording costs once the bag is open: the difference of the longest and the shortest.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from wm_planner.messages.bag_types import bag_types
from wm_planner.messages.images import image_from_compressed, image_from_message
from wm_planner.replay.bag import COMPRESSED_IMAGE, IMAGE, Bag

HEIGHT, WIDTH, RATE, JOINT_RATE = 480, 640, 30, 100
LENGTHS = (1, 4, 16)  # times the shortest
START = 1_700_000_000_000_000_000


def write(folder: Path, seconds: float, compressed: bool, storage: StoragePlugin) -> None:
    """Write a bag of smooth pictures that move."""
    store = bag_types()
    kinds = store.types
    row, column = np.mgrid[:HEIGHT, :WIDTH]

    def header(stamp_ns: int):
        stamp = kinds["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
        return kinds["std_msgs/msg/Header"](stamp, "camera")

    with Writer(folder, version=9, storage_plugin=storage) as writer:
        name = COMPRESSED_IMAGE if compressed else IMAGE
        pictures = writer.add_connection("/image", name, typestore=store)
        joint_type = "sensor_msgs/msg/JointState"
        joints = writer.add_connection("/joint_states", joint_type, typestore=store)
        names = [f"joint_{i}" for i in range(16)]
        for step in range(round(seconds * JOINT_RATE)):
            stamp = START + round(step * 1e9 / JOINT_RATE)
            state = kinds[joint_type](header(stamp), names, np.zeros(16), np.zeros(16), np.zeros(0))
            writer.write(joints, stamp, store.serialize_cdr(state, joint_type))
        for step in range(round(seconds * RATE)):
            stamp = START + round(step * 1e9 / RATE)
            wave = np.stack([row + step, column, row + column - step], axis=2) % 256
            image = wave.astype(np.uint8)
            if compressed:
                data = cv2.imencode(".jpg", image)[1].reshape(-1)
                message = kinds[name](header(stamp), "jpeg", data)
            else:
                flat = image.reshape(-1)
                message = kinds[name](header(stamp), HEIGHT, WIDTH, "rgb8", 0, WIDTH * 3, flat)
            writer.write(pictures, stamp, store.serialize_cdr(message, name))


def read(folder: Path) -> dict[str, float]:
    """Read and decode everything; returns times in s and the peak of memory in MB."""
    wall, used, count = time.perf_counter(), time.process_time(), 0
    with Bag(folder) as bag:
        for record in bag.records():
            message = bag.unpack(record)
            if record.type == IMAGE:
                image_from_message(message)
            elif record.type == COMPRESSED_IMAGE:
                image_from_compressed(message)
            count += 1
    return {
        "messages": count,
        "wall_s": time.perf_counter() - wall,
        "process_s": time.process_time() - used,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print one line a bag."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of the shortest bags")
    parser.add_argument("--folder", type=Path, help="for the bags; a temporary one if absent")
    # One bag, in a process of its own, so that peaks of memory do not mix.
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        print(json.dumps(read(args.read)))
        return
    for storage in StoragePlugin:
        for compressed in (False, True):
            kind = f"{storage.name.lower()}, {'JPEG' if compressed else 'raw'}"
            first, *_, last = [
                measure(args.folder, kind, times * args.seconds, compressed, storage)
                for times in LENGTHS
            ]
            more_s = (LENGTHS[-1] - LENGTHS[0]) * args.seconds
            used_s = last["process_s"] - first["process_s"]
            print(f"{kind}: {more_s / used_s:.0f} times real time of one processor", flush=True)


def measure(
    parent: Path | None, kind: str, seconds: float, compressed: bool, storage: StoragePlugin
) -> dict[str, float]:
    """Write a bag, read it in a process of its own and tell what was found."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        bag = Path(folder, "bag")
        write(bag, seconds, compressed, storage)
        command = [sys.executable, __file__, "--read", str(bag)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    print(
        f"{kind}, {seconds:g} s recorded: {found['wall_s']:.2f} s wall "
        f"({seconds / found['wall_s']:.0f} times real time), {found['process_s']:.2f} s processor "
        f"({seconds / found['process_s']:.0f} times), peak {found['peak_mb']:.0f} MB",
        flush=True,
    )
    return found


if __name__ == "__main__":
    main()

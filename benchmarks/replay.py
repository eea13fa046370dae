"""How fast bags are read and decoded, without planning, and whether memory stays flat.

    python benchmarks/replay.py [--seconds 4] [--repeats 1] [--folder DIR]

Writes bags of one 640x480 camera at 30 Hz and joints at 100 Hz, raw and as JPEG, mcap and sqlite3,
reads every message, unpacks it and decodes every picture, ahead on other threads as a replay does
and, for comparison, one after the other; the same with bags 4 and 16 times as long. Processor time
is what the process used, wall time what went by. What is told last is what a second of recording
costs once the bag is open: the difference of the longest and the shortest, medians of all repeats.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from wm_planner.messages.bag_types import bag_types
from wm_planner.replay.bag import COMPRESSED_IMAGE, IMAGE, Bag
from wm_planner.replay.pictures_ahead import decode, with_pictures

HEIGHT, WIDTH, RATE, JOINT_RATE = 480, 640, 30, 100
LENGTHS = (1, 4, 16)  # times the shortest
WAYS = ("ahead", "in turn")
TOPIC = "/image"
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
        pictures = writer.add_connection(TOPIC, name, typestore=store)
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


def read(folder: Path, way: str) -> dict[str, float]:
    """Read and decode everything; returns times in s and the peak of memory in MB."""
    wall, used, count = time.perf_counter(), time.process_time(), 0
    with Bag(folder) as bag:
        if way == "ahead":
            for record, picture in with_pictures(bag, bag.records(), TOPIC):
                picture() if picture else bag.unpack(record)
                count += 1
        else:
            for record in bag.records():
                decode(bag, record) if record.topic == TOPIC else bag.unpack(record)
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
    parser.add_argument("--repeats", type=int, default=1, help="of every measurement")
    # One bag, in a process of its own, so that peaks of memory do not mix.
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        print(json.dumps(read(args.read, args.way)))
        return
    for storage in StoragePlugin:
        for compressed in (False, True):
            kind = f"{storage.name.lower()}, {'JPEG' if compressed else 'raw'}"
            lengths = [times * args.seconds for times in LENGTHS]
            found = [
                measure(args.folder, kind, seconds, compressed, storage, args.repeats)
                for seconds in lengths
            ]
            for way in WAYS:
                process, wall = (
                    (lengths[-1] - lengths[0]) / (found[-1][way][what] - found[0][way][what])
                    for what in ("process_s", "wall_s")
                )
                print(f"{kind}, {way}: {process:.0f} times real time of one processor, "
                      f"{wall:.0f} times by the clock", flush=True)  # fmt: skip


def measure(
    parent: Path | None, kind: str, seconds: float, compressed: bool, storage: StoragePlugin,
    repeats: int,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Write a bag, read it in turn in every way in processes of their own; returns medians."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        bag = Path(folder, "bag")
        write(bag, seconds, compressed, storage)
        for way in WAYS * repeats:
            command = [sys.executable, __file__, "--read", str(bag), "--way", way]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[way].append(json.loads(done.stdout))
    medians = {
        way: {what: statistics.median(one[what] for one in runs) for what in runs[0]}
        for way, runs in found.items()
    }
    for way, middle in medians.items():
        wall_s, process_s = middle["wall_s"], middle["process_s"]
        print(
            f"{kind}, {seconds:g} s recorded, {way}: {wall_s:.2f} s wall "
            f"({seconds / wall_s:.0f} times real time), {process_s:.2f} s processor "
            f"({seconds / process_s:.0f} times), peak {middle['peak_mb']:.0f} MB",
            flush=True,
        )
    return medians


if __name__ == "__main__":
    main()

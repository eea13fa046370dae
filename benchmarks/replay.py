"""How fast bags are read and decoded, without planning, and whether memory stays flat.

    python benchmarks/replay.py [--seconds 10] [--folder DIR]

Writes bags of one 640x480 camera at 30 Hz and joints at 100 Hz, raw and as JPEG, reads every
message, unpacks it and decodes every picture; then does the same with a bag three times as long.
Processor time is what the process used, wall time what went by.
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
START = 1_700_000_000_000_000_000


def write(folder: Path, seconds: float, compressed: bool) -> None:
    """Write a bag of smooth pictures that move."""
    store = bag_types()
    kinds = store.types
    row, column = np.mgrid[:HEIGHT, :WIDTH]

    def header(stamp_ns: int):
        stamp = kinds["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
        return kinds["std_msgs/msg/Header"](stamp, "camera")

    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
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
    parser.add_argument("--seconds", type=float, default=10.0, help="of the shorter bags")
    parser.add_argument("--folder", type=Path, help="for the bags; a temporary one if absent")
    # One bag, in a process of its own, so that peaks of memory do not mix.
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        print(json.dumps(read(args.read)))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for compressed in (False, True):
            for seconds in (args.seconds, 3 * args.seconds):
                bag = Path(folder, f"{compressed}-{seconds:g}")
                write(bag, seconds, compressed)
                command = [sys.executable, __file__, "--read", str(bag)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found = json.loads(done.stdout)
                print(
                    f"{'JPEG' if compressed else 'raw'}, {seconds:g} s recorded: "
                    f"{found['wall_s']:.2f} s wall ({seconds / found['wall_s']:.0f} times real "
                    f"time), {found['process_s']:.2f} s processor "
                    f"({seconds / found['process_s']:.0f} times), peak {found['peak_mb']:.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()

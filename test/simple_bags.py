"""Bags of a robot that moves its joints slowly; its camera paints poses as `tiny_models` do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from painted_rig import RIG, ROBOT
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from tiny_models import HEIGHT, WIDTH, picture

from wm_planner import actions
from wm_planner.cli import main
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.messages.bag_types import bag_types

STORE = bag_types()
START = 1_700_000_000_000_000_000
CAMERA = RIG.cameras["head"]
JOINTS = (*RIG.joint_names, *(n for hand in RIG.hands for n in hand.gripper.joint_names))
SPEED = 0.02  # rad/s of every arm joint
OPENING = 0.04  # m of every finger

Message = tuple[int, str, Any]  # time of recording, topic, message


def joints_at(seconds: float) -> np.ndarray:
    """Where the arm joints are."""
    return RIG.home + SPEED * seconds


def painted(seconds: float) -> np.ndarray:
    """What the camera sees."""
    poses = ROBOT.hand_poses(joints_at(seconds), np.full(2, 2 * OPENING))
    blocks = np.ones((CAMERA.height // HEIGHT, CAMERA.width // WIDTH, 1), np.uint8)
    return np.kron(picture(actions.pack(poses)), blocks)


def header(stamp_ns: int, store: Any = STORE) -> Any:
    stamp = store.types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
    kind = store.types["std_msgs/msg/Header"]
    more = {"seq": 0} if "seq" in kind.__dataclass_fields__ else {}
    return kind(stamp=stamp, frame_id="head", **more)


def image_message(stamp_ns: int, image: np.ndarray, store: Any = STORE) -> Any:
    height, width, _ = image.shape
    return store.types["sensor_msgs/msg/Image"](
        header(stamp_ns, store), height, width, "rgb8", 0, width * 3, image.reshape(-1)
    )


def compressed_message(stamp_ns: int, image: np.ndarray) -> Any:
    data = cv2.imencode(".png", image[..., ::-1])[1].reshape(-1)
    return STORE.types["sensor_msgs/msg/CompressedImage"](header(stamp_ns), "png", data)


def joint_message(stamp_ns: int, seconds: float, store: Any = STORE) -> Any:
    position = np.concatenate([joints_at(seconds), np.full(4, OPENING)])
    velocity = np.concatenate([np.full(12, SPEED), np.zeros(4)])
    return store.types["sensor_msgs/msg/JointState"](
        header(stamp_ns, store), list(JOINTS), position, velocity, np.zeros(0)
    )


def run(seconds: float = 2.0, store: Any = STORE, compressed: bool = False) -> Iterator[Message]:
    """Joints at 50 Hz and pictures at 10 Hz; a picture is recorded after the joints of its time."""
    for step in range(round(seconds * 50)):
        stamp = START + step * 20_000_000
        yield stamp, RIG.topics.joint_states, joint_message(stamp, step / 50, store)
        if step % 5 == 0 and compressed:
            message = compressed_message(stamp, painted(step / 50))
            yield stamp + 1_000_000, f"{CAMERA.topic}/compressed", message
        elif step % 5 == 0:
            yield stamp + 1_000_000, CAMERA.topic, image_message(stamp, painted(step / 50), store)


def write_bag(
    folder: Path,
    messages: Iterator[Message] | list[Message] | None = None,
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode | None = None,
    change: Callable[[Message], Message | None] = lambda message: message,
) -> Path:
    """Write a rosbag2; `change` may alter a message or, with None, leave it out."""
    writer = Writer(folder, version=9, storage_plugin=storage)
    if compression is not None:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for message in run() if messages is None else messages:
            changed = change(message)
            if changed is None:
                continue
            log_ns, topic, content = changed
            name = content.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, name, typestore=STORE)
            writer.write(connections[topic], log_ns, STORE.serialize_cdr(content, name))
    return folder


def commanded(seconds: float, ahead_s: float = 0.1) -> list[Message]:
    """The run, with joint states that are commanded: some time ahead, on another topic."""
    messages = []
    for log_ns, topic, message in run(seconds):
        messages.append((log_ns, topic, message))
        if topic == RIG.topics.joint_states:
            elapsed = (log_ns - START) * 1e-9
            messages.append((log_ns, "/told", joint_message(log_ns, elapsed + ahead_s)))
    return messages


def imported(out: Path, *sources: Path, rig: str = "simulated_bimanual") -> LeRobotDataset:
    """Import bags as a user does."""
    words = ["import", *map(str, sources), "--out", str(out), "--rig", rig]
    assert main([*words, "--published-at", "example.org", "--licence", "MIT"]) == 0
    return LeRobotDataset(out)

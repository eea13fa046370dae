"""An episode of a dataset as a bag that can be replayed, inspected and imported again.

The bag holds what the rig's own topics would: pictures, CameraInfo, joint states; and the set
points and the progress of a planner that followed the episode. A dataset keeps commands as hand
poses, so set points are found by inverse kinematics, within 0.1 mm and 0.1 mrad where the arms can
reach them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from wm_planner import actions, images
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.errors import DataError
from wm_planner.messages.bag_types import bag_types
from wm_planner.messages.topic_names import COMMAND_TOPIC, SUCCESS_TOPIC, TASK_PROGRESS_TOPIC
from wm_planner.robot.camera_calibration import CameraCalibration
from wm_planner.robot.rig_description import CameraDescription
from wm_planner.robot.robot_model import RobotModel

START_NS = 1_700_000_000_000_000_000
"""Stamp of the first frame: datasets do not say when they were recorded."""


@dataclass(frozen=True)
class Written:
    """What came of an episode.

    Attributes:
        frames: how many.
        position_error: largest distance of a set point's hand from the recorded command, m.
        rotation_error: largest angle between them, rad.
    """

    frames: int
    position_error: float
    rotation_error: float


def write_episode(data: LeRobotDataset, episode: int, robot: RobotModel, folder: Path) -> Written:
    """Write one episode.

    Args:
        data: of this robot.
        episode: its number in the dataset.
        robot: kinematics, and what its messages call joints.
        folder: of the bag (mcap, zstd); must not exist.

    Raises:
        DataError: the dataset is another robot's, or there is no such episode.
    """
    _check(data, episode, robot)
    rows = slice(*data.episode_offsets[episode : episode + 2])
    targets = actions.unpack(data.hand_target[rows].astype(np.float64))
    path, distance, angle = robot.inverse_kinematics(
        targets[None], data.joint_position[rows.start].astype(np.float64)
    )
    speed = np.gradient(path[0], 1 / data.fps, axis=0)
    bag = _EpisodeBag(folder, robot)
    with bag.writer:
        step_ns = round(1e9 / data.fps)
        stamps = START_NS + step_ns * np.arange(rows.stop - rows.start)
        for frame, stamp_ns in enumerate(stamps.tolist()):
            row = rows.start + frame
            bag.joints(
                stamp_ns,
                data.joint_position[row],
                data.joint_velocity[row],
                data.gripper_width[row],
            )
            for camera in data.cameras:
                bag.picture(stamp_ns, camera, data.frames(camera)[row])
            bag.progress(stamp_ns, str(data.instruction[episode]), frame / data.fps)
            # In force when the next frame is taken, which is when it was recorded.
            bag.command(
                stamp_ns + step_ns, path[0, frame], speed[frame], targets.width[frame], frame
            )
        end_ns = int(stamps[-1]) + step_ns
        bag.progress(end_ns, str(data.instruction[episode]), len(stamps) / data.fps)
        bag.success(end_ns, bool(data.success[episode]))
    return Written(len(stamps), float(distance.max()), float(angle.max()))


def _check(data: LeRobotDataset, episode: int, robot: RobotModel) -> None:
    if not 0 <= episode < len(data):
        raise DataError(f"{data.root}: has no episode {episode}, only 0 to {len(data) - 1}")
    if data.joint_names != robot.joint_names:
        raise DataError(
            f"{data.root}: is of {data.robot_type} with the joints {', '.join(data.joint_names)}; "
            f"the rig {robot.rig.name} has {', '.join(robot.joint_names)}"
        )
    unknown = sorted(set(data.cameras) - set(robot.rig.cameras))
    if unknown:
        raise DataError(f"{data.root}: the rig {robot.rig.name} has no camera {unknown[0]}")


class _EpisodeBag:
    """Writes messages as the rig's drivers would.

    Args:
        folder: of the bag.
        robot: whose.
    """

    def __init__(self, folder: Path, robot: RobotModel) -> None:
        self.writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self.writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._robot, self._store = robot, bag_types()
        self._connections: dict[str, Any] = {}

    def joints(
        self, stamp_ns: int, arms: np.ndarray, velocity: np.ndarray, width: np.ndarray
    ) -> None:
        """Write joint states: arms, and fingers on the line of the rig file."""
        rig = self._robot.rig
        fingers = [
            hand.gripper.message.joint_position(w) for hand, w in zip(rig.hands, width, strict=True)
        ]
        position = np.concatenate([arms, *fingers]).astype(np.float64)
        speed = np.zeros(len(position))
        speed[: len(velocity)] = velocity
        names = list(rig.message_joint_names)
        self._send(
            rig.topics.joint_states, "sensor_msgs/msg/JointState", stamp_ns,
            self._header(stamp_ns, ""), names, position, speed, np.zeros(0),
        )  # fmt: skip

    def picture(self, stamp_ns: int, name: str, image: np.ndarray) -> None:
        """Write a picture in the camera's own size, and its CameraInfo."""
        camera = self._robot.rig.cameras[name]
        sized = images.fit(np.asarray(image), camera.height, camera.width)
        header = self._header(stamp_ns, f"{name}_camera")
        self._send(
            camera.topic, "sensor_msgs/msg/Image", stamp_ns,
            header, camera.height, camera.width, "rgb8", 0, 3 * camera.width, sized.reshape(-1),
        )  # fmt: skip
        region = self._store.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        self._send(
            camera.info_topic, "sensor_msgs/msg/CameraInfo", stamp_ns,
            header, *_info(camera), 0, 0, region,
        )  # fmt: skip

    def progress(self, stamp_ns: int, instruction: str, elapsed_s: float) -> None:
        """Write what is being done, as a planner that follows the episode would."""
        nan = float("nan")
        self._send(
            f"/{TASK_PROGRESS_TOPIC}", "wm_planner/msg/TaskProgress", stamp_ns,
            self._time(stamp_ns), 0, 1, 0, instruction, "executing", nan, nan, 0, elapsed_s,
            False, nan, nan, 0.0, 0.0, nan, [], np.zeros(0, np.uint32),
        )  # fmt: skip

    def command(
        self, stamp_ns: int, arms: np.ndarray, velocity: np.ndarray, width: np.ndarray, step: int
    ) -> None:
        """Write a set point."""
        self._send(
            f"/{COMMAND_TOPIC}", "wm_planner/msg/Command", stamp_ns,
            self._time(stamp_ns), list(self._robot.joint_names), arms, velocity, width, 0, step,
        )  # fmt: skip

    def success(self, stamp_ns: int, done: bool) -> None:
        """Write whether the task is done."""
        self._send(f"/{SUCCESS_TOPIC}", "std_msgs/msg/Bool", stamp_ns, done)

    def _send(self, topic: str, kind: str, log_ns: int, *fields: Any) -> None:
        if topic not in self._connections:
            connection = self.writer.add_connection(topic, kind, typestore=self._store)
            self._connections[topic] = connection
        data = self._store.serialize_cdr(self._store.types[kind](*fields), kind)
        self.writer.write(self._connections[topic], log_ns, data)

    def _header(self, stamp_ns: int, frame: str) -> Any:
        return self._store.types["std_msgs/msg/Header"](self._time(stamp_ns), frame)

    def _time(self, stamp_ns: int) -> Any:
        return self._store.types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))


def _info(camera: CameraDescription) -> Iterator[Any]:
    """Height to projection matrix of a CameraInfo; all zeros says that it is not calibrated."""
    yield from (camera.height, camera.width)
    known: CameraCalibration | None = camera.calibration
    model = "plumb_bob" if known is None or not known.distortion else known.distortion_model
    count = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}[model]
    matrix = np.zeros((3, 3))
    if known is not None:
        matrix = np.diag([*known.focal, 1.0])
        matrix[:2, 2] = known.centre
    yield model
    yield np.array(known.distortion if known and known.distortion else np.zeros(count))
    yield matrix.reshape(-1)
    yield np.eye(3).reshape(-1)
    yield np.pad(matrix, ((0, 0), (0, 1))).reshape(-1)

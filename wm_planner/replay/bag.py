"""A recorded bag, whatever its storage, read in the order of recording."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from rosbags.highlevel import AnyReader
from rosbags.typesys.store import Typestore

from wm_planner.errors import DataError
from wm_planner.messages.bag_types import bag_types

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
JOINT_STATE = "sensor_msgs/msg/JointState"
STORAGES = (".mcap", ".db3", ".bag")


class Record(NamedTuple):
    """One message as it lies in the bag.

    Attributes:
        log_ns: when it was recorded.
        topic: where it came from.
        type: its ROS 2 name, such as sensor_msgs/msg/Image.
        data: its bytes.
    """

    log_ns: int
    topic: str
    type: str
    data: bytes


class Bag:
    """Opened with `with`; everything rosbags may raise becomes a DataError that names the bag.

    Args:
        path: folder of a rosbag2 (sqlite3 or mcap, split or compressed), one of its storage
            files, or a ROS 1 bag. A folder that lost its metadata.yaml is read from its files.

    Attributes:
        topics: type by topic, while open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[str, str] = {}
        self._own: Typestore = bag_types()
        self._reader: AnyReader | None = None

    def __enter__(self) -> Bag:
        """Open it."""
        paths = _storage_paths(self.path)
        try:
            self._reader = AnyReader(paths, default_typestore=self._own)
            self._reader.open()
        except Exception as error:  # rosbags raises many kinds for many kinds of damage
            raise DataError(f"bag {self.path}: cannot be opened: {_said(error)}") from error
        for connection in self._reader.connections:
            known = self.topics.setdefault(connection.topic, connection.msgtype)
            if known != connection.msgtype:
                types = f"{known} and {connection.msgtype}"
                raise DataError(f"bag {self.path}: {connection.topic} has two types, {types}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        if self._reader is not None:
            self._reader.close()

    @property
    def message_count(self) -> int:
        """Messages that the bag says it holds."""
        return self._opened().message_count

    @property
    def is_ros2(self) -> bool:
        """Whether its messages are CDR, as those of ROS 2."""
        return bool(self._opened().is2)

    def types_for(self, kind: str) -> Typestore | None:
        """Return a store that knows a message type, the bag's own first; None where none does."""
        stores = (self._opened().typestore, self._own)
        return next((store for store in stores if kind in store.fielddefs), None)

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """Yield messages in the order of recording, of these topics or of all.

        Raises:
            DataError: the bag is damaged from here on.
        """
        reader = self._opened()
        chosen = [c for c in reader.connections if topics is None or c.topic in topics]
        count = 0
        if not chosen:
            return
        messages = reader.messages(chosen)
        while True:
            try:
                connection, log_ns, data = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise DataError(
                    f"bag {self.path}: damaged after {count} messages: {_said(error)}"
                ) from error
            count += 1
            # Messages of mcap are views of a chunk, which would keep it in memory.
            yield Record(log_ns, connection.topic, connection.msgtype, bytes(data))

    def unpack(self, record: Record) -> Any:
        """Return the message with its fields.

        Raises:
            DataError: its bytes are not what its type says.
        """
        reader = self._opened()
        try:
            if record.type in reader.typestore.fielddefs or not reader.is2:
                return reader.deserialize(record.data, record.type)
            return self._own.deserialize_cdr(record.data, record.type)
        except Exception as error:
            what = f"{record.topic}: a message of {len(record.data)} bytes"
            raise DataError(f"{what} is no {record.type}: {_said(error)}") from error

    def _opened(self) -> AnyReader:
        if self._reader is None:
            raise DataError(f"bag {self.path} is not open")
        return self._reader


def _storage_paths(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"bag {path}: there is no such file or folder")
    if path.is_file():
        if path.suffix not in STORAGES:
            raise DataError(f"bag {path}: expected a folder or a file {', '.join(STORAGES)}")
        if path.stat().st_size == 0:
            raise DataError(f"bag {path}: the file is empty")
        return [path]
    if (path / "metadata.yaml").exists():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in STORAGES)
    if not files:
        bags = sorted(str(found.parent) for found in path.glob("*/metadata.yaml"))
        below = f"; below it are {', '.join(bags[:3])}" if bags else ""
        raise DataError(
            f"bag {path}: neither metadata.yaml nor a storage file is in the folder{below}"
        )
    return files


def _said(error: Exception) -> str:
    said = " ".join(f"{type(error).__name__}: {error}".split())
    if "end magic" in said:
        said += " The recording was cut off; `mcap recover` may save what is in it."
    return said

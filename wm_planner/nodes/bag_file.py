"""A bag that is finished whatever happens to the disk: room for its end is kept aside."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO

from rosbags.rosbag2 import StoragePlugin, Writer

from wm_planner.errors import DataError
from wm_planner.messages.bag_types import bag_types

RESERVE_BYTES = 32 * 2**20
"""Room for the message that finds the disk full, the chunk it is in, and the index of 100 GB."""

RESERVE_NAME = "reserve.partial"


class ReservedFile:
    """A binary stream that lives off a second file, which is given up where the disk is full.

    Args:
        raw: unbuffered, open for writing.
        reserve: path of the second file.
        size: of it, bytes.

    Attributes:
        problem: why the reserve was given up; empty while it was not.
    """

    def __init__(self, raw: BinaryIO, reserve: Path, size: int) -> None:
        self.problem = ""
        self._raw, self._reserve, self._count = raw, reserve, raw.tell()
        with reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def write(self, data: Any) -> int:
        """Write all of it."""
        rest = memoryview(data).cast("B")
        count = len(rest)
        while rest:
            try:
                written = self._raw.write(rest)
                rest = rest[written:]
                self._count += written
            except OSError as error:
                if self.problem:
                    raise  # the reserve was not enough, or it is not for want of room
                self.problem = error.strerror or str(error)
                self.release()
        return count

    def tell(self) -> int:
        """Bytes written."""
        return self._count

    def release(self) -> None:
        """Give up the reserve: what follows is the end of the file."""
        self._reserve.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the stream."""
        self._raw.close()


class BagFile:
    """An mcap that is being written.

    Args:
        folder: of the bag; must not exist yet.
        reserve_bytes: room that is kept for its end.

    Raises:
        DataError: it exists, or there is no room.
    """

    def __init__(self, folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        if folder.exists():
            raise DataError(f"{folder} exists already, and no bag is ever overwritten")
        self._folder, self._types = folder, bag_types()
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        try:
            self._writer.open()
            storage: Any = self._writer.storage
            storage.bio = storage.bio.detach()  # unbuffered: what fails is known at once
            storage.bio = ReservedFile(storage.bio, folder / RESERVE_NAME, reserve_bytes)
            self._file: ReservedFile = storage.bio
        except OSError as error:
            self._writer.abort()
            shutil.rmtree(folder, ignore_errors=True)
            raise DataError(f"{folder} could not be begun: {error.strerror}") from error

    @property
    def problem(self) -> str:
        """Why nothing more should be written; empty while all is well."""
        return self._file.problem

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._file.tell()

    def add_topic(self, topic: str, kind: str) -> Any:
        """Return what to write messages of a topic with; `kind` as in sensor_msgs/msg/Image."""
        return self._writer.add_connection(topic, kind, typestore=self._types)

    def write(self, connection: Any, stamp_ns: int, data: bytes) -> None:
        """Write a message; one that finds the disk full is still written, and `problem` says so."""
        self._writer.write(connection, stamp_ns, data)

    def close(self) -> None:
        """Finish the bag.

        Raises:
            DataError: it could not be finished, and has no metadata.yaml.
        """
        self._file.release()
        try:
            self._writer.close()
        except OSError as error:
            self._writer.abort()
            raise DataError(f"{self._folder} could not be finished: {error.strerror}") from error

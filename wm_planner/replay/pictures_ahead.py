"""A bag's records in their order, with its pictures decoded on other threads ahead of the reader.

The order, what is yielded and what is raised do not depend on the threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from wm_planner.errors import DataError
from wm_planner.messages.arrays import to_ns
from wm_planner.messages.images import image_from_compressed, image_from_message
from wm_planner.replay.bag import COMPRESSED_IMAGE, Bag, Record

THREADS = 2  # that decode; decoders let go of Python's lock
PICTURES = 4  # decoded ahead, which bounds memory
RECORDS = 256  # read ahead, where pictures are few

#: Stamp and image (h, w, 3) uint8 RGB of a picture; raises DataError where it cannot be decoded.
Picture = Callable[[], tuple[int, np.ndarray]]


def with_pictures(
    bag: Bag, records: Iterator[Record], topic: str
) -> Iterator[tuple[Record, Picture | None]]:
    """Yield each record, with what returns its picture where it is one of the topic's.

    Raises:
        DataError: the bag is damaged from here on; everything before has been yielded.
    """
    waiting: deque[tuple[Record, Future[tuple[int, np.ndarray]] | None]] = deque()
    pictures, damage = 0, None

    def next_one() -> tuple[Record, Picture | None]:
        nonlocal pictures
        record, future = waiting.popleft()
        pictures -= future is not None
        return record, None if future is None else future.result

    with ThreadPoolExecutor(THREADS, thread_name_prefix="decode") as pool:
        try:
            for record in records:
                is_picture = record.topic == topic
                pictures += is_picture
                waiting.append((record, pool.submit(decode, bag, record) if is_picture else None))
                while pictures >= PICTURES or len(waiting) >= RECORDS:
                    yield next_one()
        except DataError as error:
            damage = error
        while waiting:
            yield next_one()
        if damage is not None:
            raise damage


def decode(bag: Bag, record: Record) -> tuple[int, np.ndarray]:
    """Return stamp and image (h, w, 3) uint8 RGB of a picture, or raise DataError."""
    message = bag.unpack(record)
    compressed = record.type == COMPRESSED_IMAGE
    image = image_from_compressed(message) if compressed else image_from_message(message)
    return to_ns(message.header.stamp), image

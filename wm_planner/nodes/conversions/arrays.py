"""Numbers in messages: flat, typed buffers; element-wise copies would cost 30 to 100 times more."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time

_DTYPES = {"d": "<f8", "f": "<f4", "B": "u1", "I": "<u4", "i": "<i4"}
_NS_PER_S = 1_000_000_000


def to_stamp(stamp_ns: int) -> Time:
    """Turn nanoseconds into a ROS time stamp."""
    seconds, nanoseconds = divmod(int(stamp_ns), _NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)


def flat(values: Any, typecode: str = "d") -> array:
    """Return the values row-major as the buffer that a message field wants.

    Args:
        values: anything numpy can turn into an array.
        typecode: of `array.array`: "d" float64, "f" float32, "B" uint8, "I" uint32, "i" int32.
    """
    buffer = array(typecode)
    buffer.frombytes(np.ascontiguousarray(values, dtype=_DTYPES[typecode]).tobytes())
    return buffer


def latents_to_bytes(latents: np.ndarray) -> array:
    """Return latents as little-endian float16 bytes."""
    buffer = array("B")
    buffer.frombytes(np.ascontiguousarray(latents, dtype="<f2").tobytes())
    return buffer

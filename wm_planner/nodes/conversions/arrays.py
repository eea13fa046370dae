"""Numbers in messages: flat, typed buffers; element-wise copies would cost 30 to 100 times more."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time

from wm_planner.errors import DataError

_DTYPES = {"d": "<f8", "f": "<f4", "B": "u1", "I": "<u4", "i": "<i4"}
_NS_PER_S = 1_000_000_000


def to_stamp(stamp_ns: int) -> Time:
    """Turn nanoseconds into a ROS time stamp."""
    seconds, nanoseconds = divmod(int(stamp_ns), _NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)


def to_ns(stamp: Any) -> int:
    """Turn a ROS time stamp (or duration) into nanoseconds."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


def flat(values: Any, typecode: str = "d") -> array:
    """Return the values row-major as the buffer that a message field wants.

    Args:
        values: anything numpy can turn into an array.
        typecode: of `array.array`: "d" float64, "f" float32, "B" uint8, "I" uint32, "i" int32.
    """
    buffer = array(typecode)
    buffer.frombytes(np.ascontiguousarray(values, dtype=_DTYPES[typecode]).tobytes())
    return buffer


def unflat(name: str, values: Any, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Return a message field as an array of the shape its neighbours announce.

    Raises:
        DataError: the field holds another number of values.
    """
    result = np.array(values, dtype=dtype)
    expected = int(np.prod(shape))
    if result.size != expected:
        sizes = " x ".join(str(size) for size in shape)
        raise DataError(f"{name} holds {result.size} values, expected {sizes} = {expected}")
    return result.reshape(tuple(shape))


def latents_to_bytes(latents: np.ndarray) -> array:
    """Return latents as little-endian float16 bytes."""
    buffer = array("B")
    buffer.frombytes(np.ascontiguousarray(latents, dtype="<f2").tobytes())
    return buffer


def latents_from_bytes(name: str, data: Any, shape: Sequence[int]) -> np.ndarray:
    """Return float16 latents of the given shape from their bytes."""
    expected = 2 * int(np.prod(shape))
    if len(data) != expected:
        sizes = tuple(shape)
        raise DataError(f"{name} holds {len(data)} bytes, expected {expected} for shape {sizes}")
    return np.frombuffer(bytes(data), dtype="<f2").astype(np.float16).reshape(tuple(shape))

"""Numbers in messages: stamps and flat buffers back to what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wm_planner.errors import DataError

_NS_PER_S = 1_000_000_000


def to_ns(stamp: Any) -> int:
    """Turn a ROS time stamp (or duration) into nanoseconds."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


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


def latents_from_bytes(name: str, data: Any, shape: Sequence[int]) -> np.ndarray:
    """Return float16 latents of the given shape from their bytes."""
    expected = 2 * int(np.prod(shape))
    if len(data) != expected:
        sizes = tuple(shape)
        raise DataError(f"{name} holds {len(data)} bytes, expected {expected} for shape {sizes}")
    return np.frombuffer(bytes(data), dtype="<f2").astype(np.float16).reshape(tuple(shape))

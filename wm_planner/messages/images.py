"""Pictures from messages, with every check that a damaged message would fail."""

from __future__ import annotations

from typing import Any

import numpy as np

from wm_planner.errors import DataError

#: Channels of an encoding and where red, green and blue are: slices, since indices copy singly.
_RGB, _BGR = slice(0, 3), slice(2, None, -1)
_ENCODINGS = {"rgb8": (3, _RGB), "bgr8": (3, _BGR), "rgba8": (4, _RGB), "bgra8": (4, _BGR)}


def image_from_message(message: Any) -> np.ndarray:
    """Turn a sensor_msgs/Image into an RGB image (h, w, 3) uint8.

    Raises:
        DataError: an encoding that is not 8-bit colour, or sizes that contradict each other.
    """
    if message.encoding not in _ENCODINGS:
        known = ", ".join(_ENCODINGS)
        raise DataError(f"image encoding is {message.encoding!r}, expected one of {known}")
    channels, order = _ENCODINGS[message.encoding]
    height, width, step = message.height, message.width, message.step
    if height == 0 or width == 0:
        raise DataError(f"image is {height}x{width}: it has no pixels")
    if step < width * channels:
        raise DataError(f"image step is {step} bytes, expected at least {width * channels}")
    if len(message.data) != step * height:
        raise DataError(f"image holds {len(message.data)} bytes, expected {step * height}")
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, : width * channels]
    return np.ascontiguousarray(rows.reshape(height, width, channels)[..., order])


def image_from_compressed(message: Any) -> np.ndarray:
    """Decode the JPEG or PNG of a sensor_msgs/CompressedImage into an RGB image (h, w, 3) uint8.

    Raises:
        DataError: not an image, or one that ends too early.
    """
    import cv2  # only where a camera really sends compressed images

    check_compressed(message)
    data = np.frombuffer(message.data, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"compressed image: {data.size} bytes of {message.format!r} do not decode")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def check_compressed(message: Any) -> None:
    """Find, without decoding it, that a sensor_msgs/CompressedImage is empty or cut off.

    Raises:
        DataError: it is.
    """
    data = np.frombuffer(message.data, np.uint8)
    # The decoder fills what is missing from a cut JPEG with grey instead of failing.
    if data[:2].tobytes() == b"\xff\xd8" and b"\xff\xd9" not in data[-32:].tobytes():
        raise DataError(f"compressed image: the JPEG of {data.size} bytes is cut off")
    if not data.size:
        raise DataError(f"compressed image: 0 bytes of {message.format!r} do not decode")

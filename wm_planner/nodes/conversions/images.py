"""Camera messages to arrays and back, with every check that a damaged message would fail."""

from __future__ import annotations

from array import array

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from wm_planner.errors import DataError
from wm_planner.nodes.conversions.arrays import to_stamp
from wm_planner.rigs.fisheye import Lens

#: Channels of an encoding and which of them are red, green and blue.
_ENCODINGS = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
}


def image_to_message(image: np.ndarray, stamp_ns: int = 0, frame_id: str = "") -> Image:
    """Turn an RGB image (h, w, 3) uint8 into an rgb8 message."""
    height, width, _ = image.shape
    message = Image(height=height, width=width, encoding="rgb8", step=width * 3)
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = frame_id
    data = array("B")
    data.frombytes(np.ascontiguousarray(image, dtype=np.uint8).tobytes())
    message.data = data
    return message


def image_from_message(message: Image) -> np.ndarray:
    """Turn a message into an RGB image (h, w, 3) uint8.

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


def image_from_compressed(message: CompressedImage) -> np.ndarray:
    """Decode a JPEG or PNG message into an RGB image (h, w, 3) uint8.

    Raises:
        DataError: not an image, or one that ends too early.
    """
    import cv2  # only where a camera really sends compressed images

    data = np.frombuffer(message.data, np.uint8)
    # The decoder fills what is missing from a cut JPEG with grey instead of failing.
    if data[:2].tobytes() == b"\xff\xd8" and b"\xff\xd9" not in data[-32:].tobytes():
        raise DataError(f"compressed image: the JPEG of {data.size} bytes is cut off")
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise DataError(f"compressed image: {data.size} bytes of {message.format!r} do not decode")
    return np.ascontiguousarray(image[..., ::-1])


def camera_info_message(lens: Lens, stamp_ns: int, frame_id: str) -> CameraInfo:
    """Describe an ideal camera; the frame is its optical one (REP-103)."""
    message = CameraInfo(height=lens.height, width=lens.width)
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = frame_id
    message.distortion_model = lens.distortion_model
    message.d = list(lens.distortion)
    message.k = lens.matrix.reshape(-1).tolist()
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = np.pad(lens.matrix, ((0, 0), (0, 1))).reshape(-1).tolist()
    return message

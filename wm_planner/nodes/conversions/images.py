"""Pictures and camera descriptions to messages."""

from __future__ import annotations

from array import array

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from wm_planner.nodes.conversions.arrays import to_stamp
from wm_planner.rigs.fisheye import Lens


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

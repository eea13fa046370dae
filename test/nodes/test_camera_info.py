"""CameraInfo describes the lens that the simulated camera really has."""

from __future__ import annotations

import math

import numpy as np

from wm_planner.nodes.conversions.images import camera_info_message
from wm_planner.rigs.fisheye import Lens


def test_that_a_fisheye_is_described_as_equidistant():
    info = camera_info_message(Lens.equidistant(192, 256, math.radians(70)), 5_000_000_001, "head")
    assert (info.height, info.width, info.distortion_model) == (192, 256, "equidistant")
    assert list(info.d) == [0.0] * 4
    np.testing.assert_allclose(info.k[0], 256 / math.radians(70))
    assert (info.header.stamp.sec, info.header.stamp.nanosec) == (5, 1)


def test_that_a_pinhole_has_its_principal_point_between_the_middle_pixels():
    info = camera_info_message(Lens.pinhole(192, 256, math.radians(41)), 0, "head")
    assert info.distortion_model == "plumb_bob"
    assert len(info.d) == 5
    focal = 96 / math.tan(math.radians(20.5))
    np.testing.assert_allclose(info.k, [focal, 0, 127.5, 0, focal, 95.5, 0, 0, 1])
    np.testing.assert_allclose(
        np.reshape(info.p, (3, 4)), np.c_[np.reshape(info.k, (3, 3)), np.zeros(3)]
    )

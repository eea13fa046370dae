"""Rays and pixels of a camera belong to each other, whatever its lens."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.robot.camera_calibration import CameraCalibration

LENSES = {
    "none": (),
    "plumb_bob": (-0.2, 0.05, 0.001, -0.001, 0.0),
    "rational_polynomial": (0.1, -0.05, 0.0005, 0.001, 0.01, 0.05, -0.02, 0.005),
    "equidistant": (0.02, -0.01, 0.003, -0.001),
}


@pytest.mark.parametrize("model", LENSES)
def test_that_rays_land_on_their_pixels(model):
    camera = CameraCalibration(
        48, 64, (60.0, 62.0), (31.0, 24.5), model, LENSES[model], (0, 0, 0), (0, 0, 0, 1)
    )
    columns, rows = np.meshgrid(np.arange(64), np.arange(48))
    pixels = camera.pixels(camera.rays())
    np.testing.assert_allclose(pixels, np.stack([columns, rows], axis=-1), atol=0.02)
    at_origin, depth = camera.project(3.0 * camera.rays())
    np.testing.assert_allclose(at_origin, pixels, atol=1e-6)
    np.testing.assert_allclose(depth, 3.0)

"""Optical flow at low resolution."""

from __future__ import annotations

import numpy as np

from wm_planner.inverse_dynamics.optical_flow import BLOCK, SCALE, flow_from_before, flow_size


def test_a_shifted_picture_flows_by_its_shift():
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 255, (32, 40), dtype=np.uint8)
    large = np.kron(coarse, np.ones((4, 4), np.uint8))  # blobs of 4 px
    picture = np.repeat(large[..., None], 3, axis=2)
    moved = np.roll(picture, (2, -3), axis=(0, 1))
    frames = np.stack([picture, picture, moved])[None, :, 16:112, 16:144]
    flow = flow_from_before(frames)
    assert flow.shape == (1, 3, flow_size(96, 128))
    assert not flow[0, :2].any()  # nothing before the first, nothing moved before the second
    by_place = flow[0, 2].reshape(96 // BLOCK, 128 // BLOCK, 2) * SCALE
    np.testing.assert_allclose(np.median(by_place, axis=(0, 1)), [-3, 2], atol=0.3)

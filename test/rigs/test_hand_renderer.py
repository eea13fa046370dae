"""Hands drawn from their poses lie where the simulator's camera sees them."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest

from wm_planner.errors import ConfigurationError
from wm_planner.robot.camera_calibration import CameraCalibration
from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.robot.rig_description import find_rig

HEIGHT, WIDTH = 96, 128
LINKS = ("link_6", "finger_link_1", "finger_link_2")


@pytest.fixture(scope="module")
def renderer():
    return HandRenderer(find_rig("simulated_bimanual"), "head", HEIGHT, WIDTH)


def seen_hand(rig, side: str) -> np.ndarray:
    """Pixels (h, w) on which MuJoCo sees a palm and fingers when all else is made invisible."""
    bodies = [rig.model.body(f"{side}_{link}").id for link in LINKS]
    others = ~np.isin(rig.model.geom_bodyid, bodies)
    colours = rig.model.geom_rgba.copy()
    scene = mujoco.Renderer(rig.model, HEIGHT, WIDTH)
    try:
        rig.model.geom_rgba[others, 3] = 0.0
        scene.enable_segmentation_rendering()
        scene.update_scene(rig.data, "head")
        return scene.render()[..., 1] == mujoco.mjtObj.mjOBJ_GEOM
    finally:
        rig.model.geom_rgba[:] = colours
        scene.close()


@pytest.mark.parametrize("width", [0.0, 0.045, 0.09])
@pytest.mark.parametrize("seed", range(4))
def test_silhouettes_are_where_the_camera_sees_the_hands(rig, robot, renderer, seed, width):
    rig.reset("reach", 900_030)
    turns = np.random.default_rng(seed).uniform(-0.25, 0.25, 12)
    rig.set_posture(rig.description.home + turns, np.full(2, width))
    rig.forward()
    position, _, opening = rig.joint_state()
    drawn = renderer.render(robot.hand_poses(position, opening)) > 127
    for mask, side in zip(drawn, ("left", "right"), strict=True):
        seen = seen_hand(rig, side)
        assert seen.sum() > 100
        assert (mask & seen).sum() > 0.85 * (mask | seen).sum(), side


def test_other_shapes_of_arrays_and_hands_out_of_view(robot, renderer):
    home = find_rig("simulated_bimanual").home
    one = robot.hand_poses(home, np.full(2, 0.05))
    many = robot.hand_poses(np.tile(home, (3, 4, 1)), np.full((3, 4, 2), 0.05))
    drawn = renderer.render(many)
    assert drawn.shape == (3, 4, 2, HEIGHT, WIDTH) and drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[1, 2], renderer.render(one))
    behind = dataclasses.replace(one, position=one.position - [0, 2.0, 0])
    assert not renderer.render(behind).any()


def test_a_camera_without_calibration_is_refused():
    with pytest.raises(ConfigurationError, match=r"cameras\.left_wrist has no calibration"):
        HandRenderer(find_rig("simulated_bimanual"), "left_wrist", HEIGHT, WIDTH)


def test_projection_by_the_definition():
    """An unturned camera at the origin: x right, y down, z ahead."""
    camera = CameraCalibration(
        100, 200, (80.0, 90.0), (99.5, 49.5), "none", (), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
    )
    pixels, depth = camera.project(np.array([[0.1, 0.2, 2.0], [0, 0, -1.0]]))
    np.testing.assert_allclose(pixels[0], [99.5 + 80 * 0.05, 49.5 + 90 * 0.1])
    assert np.isnan(pixels[1]).all() and depth.tolist() == [2.0, -1.0]
    half, _ = camera.resized(50, 100).project(np.array([0.1, 0.2, 2.0]))
    np.testing.assert_allclose(half, (pixels[0] + 0.5) / 2 - 0.5)
    fisheye = dataclasses.replace(
        camera, distortion_model="equidistant", distortion=(0.0, 0.0, 0.0, 0.0)
    )
    angle = np.arctan2(1.0, 2.0)
    pixels, _ = fisheye.project(np.array([1.0, 0.0, 2.0]))
    np.testing.assert_allclose(pixels, [99.5 + 80 * angle, 49.5], atol=1e-9)

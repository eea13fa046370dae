"""The fisheye maps directions as its formula says, and its images agree with it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from wm_planner.errors import ConfigurationError, RigError
from wm_planner.rigs.fisheye import FisheyeView, Lens, LensSettings
from wm_planner.rigs.mujoco_rig import MujocoRig

LENSES = [
    Lens.pinhole(96, 128, math.radians(41)),
    Lens.equidistant(96, 128, math.radians(70)),
    Lens.equidistant(240, 320, math.radians(105)),
]


@pytest.mark.parametrize("lens", LENSES)
def test_that_each_pixel_is_seen_where_its_ray_points(lens):
    x, y = np.meshgrid(np.arange(lens.width), np.arange(lens.height))
    np.testing.assert_allclose(lens.project(3.7 * lens.rays()), np.stack([x, y], -1), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(lens.rays(), axis=-1), 1.0)


def test_that_equal_angles_are_equal_distances():
    lens = Lens.equidistant(96, 128, math.radians(80))
    angles = np.radians([0, 10, 20, 30, 40])
    points = np.stack([np.sin(angles), 0 * angles, np.cos(angles)], -1)
    x, y = lens.project(points).T
    np.testing.assert_allclose(x, 63.5 + np.arange(5) * 16)  # 80 degrees on 128 px
    np.testing.assert_allclose(y, 47.5)


def test_that_opencv_projects_alike():
    generator = np.random.default_rng(0)
    points = generator.uniform([-1, -1, 0.5], [1, 1, 3], (50, 1, 3))
    fisheye, pinhole, none = LENSES[1], LENSES[0], np.zeros(3)
    expected, _ = cv2.fisheye.projectPoints(
        points, none, none, fisheye.matrix, np.array(fisheye.distortion)
    )
    np.testing.assert_allclose(fisheye.project(points), expected, atol=1e-9)
    expected, _ = cv2.projectPoints(
        points, none, none, pinhole.matrix, np.array(pinhole.distortion)
    )
    np.testing.assert_allclose(pinhole.project(points), expected, atol=1e-9)


@pytest.mark.parametrize("lens", LENSES[1:])
def test_that_a_resampled_image_shows_what_the_formula_says(lens):
    """An image whose colours are the directions: resampled, it must be those of the fisheye."""
    view = FisheyeView(lens)

    def colours(rays):
        return np.clip(127.5 + 127.5 * rays, 0, 255).astype(np.uint8)

    error = view.resample(colours(view.source.rays())).astype(int) - colours(lens.rays())
    assert np.abs(error).max() <= 2


def test_that_the_rendered_view_is_wide_and_fine_enough():
    for lens in LENSES[1:]:
        view = FisheyeView(lens)
        seen = view.source.project(lens.rays())
        assert seen.min() >= 0
        assert (seen.max((0, 1)) <= [view.source.width - 1, view.source.height - 1]).all()
        assert view.source.focal >= 0.99 * lens.focal or view.source.height == 480


def test_that_a_view_too_wide_to_render_is_refused():
    with pytest.raises(ConfigurationError, match=r"corners are 99 degrees off .* at most 70"):
        FisheyeView(Lens.equidistant(96, 128, math.radians(160)))


@pytest.fixture(scope="module")
def rig():
    rig = MujocoRig(head_lens=LensSettings(kind="fisheye"))
    yield rig
    rig.close()


def red_pixels(image):
    """Columns and rows of the cube's pixels."""
    red = (image[..., 0] > 60) & (image[..., 0] > 2.5 * image[..., 1:].max(-1))
    rows, columns = np.nonzero(red)
    return columns, rows


def in_optical_frame(rig, camera, point):
    camera = rig.data.camera(camera)
    return (point - camera.xpos) @ camera.xmat.reshape(3, 3) * [1, -1, -1]


@pytest.mark.parametrize("camera", ["head", "front"])
def test_that_the_rig_sees_the_cube_where_its_lens_says(rig, camera):
    """Fisheye on the head, pinhole elsewhere; the fisheye bends what lies towards the corners."""
    rig.reset("pick_lift", 3)
    lens = rig.lens(camera, 192, 256)
    assert lens.fisheye == (camera == "head")
    for position in ([0.0, 0.3, 0.03], [-0.3, 0.25, 0.03], [0.3, 0.45, 0.03]):
        for name in ("bar", "tray"):
            rig.place(name, (0.0, 3.0, -0.6), 0.0)
        for side in ("left", "right"):
            rig.place_marker(side, np.array([0.0, 3.0, 0.1]))
        rig.set_posture(np.tile([0.0, -1.2, 0.0, 0.0, 0.0, 0.0], 2), np.full(2, 0.05))
        rig.place("cube", position, 0.0)
        rig.forward()
        columns, rows = red_pixels(rig.render(camera, 192, 256))
        half = 0.027
        corners = position + half * np.array(
            [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
        )
        outline = lens.project(in_optical_frame(rig, camera, corners))
        assert columns.min() == pytest.approx(outline[:, 0].min(), abs=1.5)
        assert columns.max() == pytest.approx(outline[:, 0].max(), abs=1.5)
        assert rows.min() == pytest.approx(outline[:, 1].min(), abs=1.5)
        assert rows.max() == pytest.approx(outline[:, 1].max(), abs=1.5)


def test_that_the_cube_is_8_pixels_across_at_the_models_size(rig):
    for seed in range(8):
        rig.reset("pick_lift", seed)
        columns, rows = red_pixels(rig.render("head", 96, 128))
        if len(columns) > 30:  # not behind an arm
            assert max(np.ptp(columns), np.ptp(rows)) + 1 >= 8


def test_that_rendering_a_fisheye_leaves_the_camera_as_it_was(rig):
    before = rig.model.cam_fovy.copy()
    rig.render("head")
    np.testing.assert_array_equal(rig.model.cam_fovy, before)


def test_that_an_unknown_camera_is_named(rig):
    with pytest.raises(RigError, match="camera: got 'heat'"):
        rig.render("heat")

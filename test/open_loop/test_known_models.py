"""Figures of models whose answers are known: in the world of `tiny_models` poses are pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from simple_recording import make_recording
from tiny_models import (
    CONTEXT,
    HEIGHT,
    HORIZON,
    WIDTH,
    add_scene_decoder,
    write_tiny_bundles,
)

from wm_planner import actions
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle
from wm_planner.inverse_dynamics.onnx_inverse_dynamics import OnnxInverseDynamics
from wm_planner.open_loop.command_figures import (
    averaging_figures,
    calibration_figures,
    command_figures,
    path_figures,
)
from wm_planner.open_loop.diversity import diversity_figures
from wm_planner.open_loop.dreams import decode, dream, encode
from wm_planner.open_loop.inversion import commanded
from wm_planner.open_loop.models import Reader
from wm_planner.open_loop.steering import cross_swap, goal_figures, ratio_figures, task_figures
from wm_planner.open_loop.windows import WindowSizes, draw_windows
from wm_planner.planner.readable_frames import readable_frames
from wm_planner.types import HandPoses
from wm_planner.world_models.onnx_world_model import OnnxWorldModel

POSES = np.zeros((2, 20))
POSES[:, [*range(3, 9), *range(13, 19)]] = np.tile([1.0, 0, 0, 0, 1, 0], 2)
POSES[1, [2, 12]] = 0.3
COUNT = 6


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folders = write_tiny_bundles(tmp_path_factory.mktemp("tiny"), POSES)
    kinds = (WORLD_MODEL, INVERSE_DYNAMICS)
    bundles = [load_bundle(folder, kind) for folder, kind in zip(folders, kinds, strict=True)]
    return OnnxWorldModel(bundles[0]), OnnxInverseDynamics(bundles[1])


@pytest.fixture(scope="module")
def windows():
    sizes = WindowSizes(CONTEXT, HORIZON, "head", (HEIGHT, WIDTH))
    return draw_windows(make_recording(), sizes, COUNT, np.random.default_rng(0))


@pytest.fixture(scope="module")
def dreams(models, windows):
    steps = []
    found = dream(models[0], windows, 3, 0, lambda: steps.append(1))
    assert len(steps) == COUNT
    return found


@pytest.fixture(scope="module")
def read(models):
    world_model, inverse = models

    def reader(windows, future, newest):
        return Reader(inverse, world_model, 0)(windows, future, newest)

    return reader


def test_dreams_depend_on_the_seed_alone(models, windows, dreams):
    again = dream(models[0], windows, 3, 0, lambda: None)
    other = dream(models[0], windows, 3, 1, lambda: None)
    for name in ("acted", "free", "idle", "wrong", "towards"):
        np.testing.assert_array_equal(getattr(again, name), getattr(dreams, name))
        assert not np.array_equal(getattr(other, name), getattr(dreams, name))


def test_encoding_and_decoding_keep_the_leading_axes(models, windows):
    latents = encode(models[0], windows.images)
    assert latents.shape[:2] == windows.images.shape[:2]
    np.testing.assert_allclose(decode(models[0], latents), windows.images, atol=1)


def test_windows_are_decoded_over_their_own_newest_frames(models, windows, dreams, tmp_path):
    folder, _ = write_tiny_bundles(tmp_path, POSES)
    model = OnnxWorldModel(load_bundle(add_scene_decoder(folder), WORLD_MODEL))
    scenes = windows.images[:, CONTEXT - 1].copy()
    scenes.reshape(COUNT, -1)[:, 40:] = np.arange(1, COUNT + 1)[:, None]
    shown = decode(model, dreams.real, scenes).reshape(COUNT, HORIZON, -1)
    alone = decode(model, dreams.real).reshape(COUNT, HORIZON, -1)
    np.testing.assert_array_equal(shown[..., :40], alone[..., :40])
    for number, frames in enumerate(shown[..., 40:], 1):
        assert (frames == number).all()
    # What reads images is shown them so as well, whether one scene is given or one a window.
    spec = dataclasses.replace(models[1].spec, reads_images=True, frame_shape=(HEIGHT, WIDTH, 3))
    frames = readable_frames(model, spec, dreams.real, scenes)
    np.testing.assert_array_equal(frames.reshape(shown.shape), shown)
    one = readable_frames(model, spec, dreams.real[:1], scenes[0])
    np.testing.assert_array_equal(one.reshape(shown[:1].shape), shown[:1])


def test_commands_read_off_real_frames_and_acted_dreams_are_right(windows, dreams, read):
    for future in (dreams.real, dreams.acted):
        targets = read(windows, future, dreams.newest).targets
        every = np.ones(COUNT, bool)
        figures = command_figures(windows, {"frames": targets}, {"frames": every})
        assert len(figures) == 7  # position, rotation and width by hand, open or closed
        for figure in figures[:6]:
            # float16 dreams, 16-bit poses
            assert figure.value < {"mm": 2.0, "degrees": 0.5}[figure.unit]
            assert figure.count == COUNT * HORIZON
        positions = [figure for figure in figures if "position" in figure.name]
        assert all(figure.baselines["standing still"] > 30 for figure in positions)


def test_paths_read_off_acted_dreams_are_right(windows, dreams, read):
    targets = read(windows, dreams.acted, dreams.newest).targets
    every = np.ones(COUNT, bool)
    figures = path_figures(windows, {"frames": targets}, {"frames": every})
    assert [figure.name.split()[1] for figure in figures] == ["left", "right"]
    for figure in figures:
        assert figure.value < 2.0 < 20 < figure.baselines["standing still"]
        assert figure.value <= figure.baselines["without warping"] * np.sqrt(2)


def test_a_hand_that_is_read_wrongly_does_not_touch_the_others_path(windows, dreams, read):
    targets = read(windows, dreams.acted, dreams.newest).targets
    moved = targets.position + np.array([[0.0], [0.1]])  # the right hand
    wrong = HandPoses(moved, targets.rotation, targets.width)
    every = np.ones(COUNT, bool)
    left, right = path_figures(windows, {"frames": wrong}, {"frames": every})
    assert left.value < 2.0 < 50 < right.value


def test_nothing_is_said_about_sources_without_windows(windows, dreams, read):
    targets = {"frames": read(windows, dreams.real, dreams.newest).targets}
    nothing = {"frames": np.zeros(COUNT, bool)}
    assert command_figures(windows, targets, nothing) == []
    assert path_figures(windows, targets, nothing) == []


def test_averaging_is_compared_with_not_averaging(windows, dreams, read):
    wrong = read(windows, dreams.shuffled, dreams.newest).targets
    right = actions.unpack(windows.targets)
    for figure in averaging_figures(windows, "real", right, wrong, 8):
        assert figure.value == pytest.approx(0.0, abs=1e-3)
        assert figure.baselines["no averaging"] >= figure.value


def test_dreams_follow_actions_and_not_the_others(models, windows, dreams, read):
    ratios = {figure.name: figure.value for figure in ratio_figures(dreams, windows.asked)}
    assert ratios["action-shuffle ratio"] > 30 and ratios["no-action ratio"] > 30
    # The tiny model goes to its poses; neither task is what the hands in the recording did.
    assert ratios["wrong-task ratio"] > 0
    few = windows.take(np.arange(3))
    (figure,), grid = cross_swap(models[0], read, few, dreams.newest[:3], 0)
    assert figure.value < 2.0 < 20 < figure.baselines["own actions"]
    assert grid.dreamed.shape == (3, 3, HEIGHT, WIDTH, 3)
    # Who acts like B ends like B, wherever the start was: that is all there is in this world.
    assert np.abs(grid.dreamed[0, 1].astype(int) - grid.dreamed[2, 1]).mean() < 20


def test_hands_at_the_end_of_dreams(windows):
    truth = actions.unpack(windows.targets)
    aside = truth.position + np.array([0.0, 0.03, 0.04])
    other = type(truth)(aside, truth.rotation, truth.width)
    (figure,) = task_figures(windows, truth, other, other)
    assert figure.value == pytest.approx(0.0, abs=1e-9)
    assert figure.baselines["wrong task"] == pytest.approx(50.0)
    assert figure.baselines["standing still"] > 20


def test_a_dream_towards_a_picture_ends_nearer_to_it(windows, dreams, read):
    towards = read(windows, dreams.towards, dreams.newest).targets
    idle = read(windows, dreams.idle, dreams.newest).targets
    (figure,) = goal_figures(windows, towards, idle)
    assert figure.value < 0.6 * min(figure.baselines.values())
    assert set(figure.baselines) == {"no goal", "standing still"}


def test_stated_variances_are_checked_against_errors(windows, dreams, read, generator):
    answer = read(windows, dreams.real, dreams.newest)
    truth = commanded(windows)
    variance = generator.uniform(1e-6, 1e-4, truth.shape)
    honest = type(answer)(answer.targets, truth + generator.normal(0, variance**0.5), variance)
    figures, curves = calibration_figures(windows, {"made up": honest})
    assert set(curves["made up"]) == {"positions", "rotation columns", "widths"}
    value = {figure.name: figure for figure in figures}
    within = value["made up, positions, within the stated 90% interval"]
    assert within.value == pytest.approx(90, abs=7) and within.better == 90  # 180 numbers
    assert value["made up, rotation columns, mean distance from calibration"].value < 6


def test_diversity_of_dreams_that_are_all_the_same(generator):
    free = np.repeat(generator.normal(size=(5, 1, 4, 2, 10)), 3, axis=1)
    positions = np.repeat(generator.normal(size=(5, 1, 4, 2, 3)), 3, axis=1)
    figures = diversity_figures(free, free[:, 0] + 1, positions, positions[:, 0] + 0.01)
    assert [figure.value for figure in figures[:2]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert figures[2].value == pytest.approx(10.0)
    assert figures[2].baselines == pytest.approx({"a single dream": 10.0, "spread": 0.0}, abs=1e-6)


def test_a_model_that_reads_images_reads_the_same_commands(models, windows, dreams, tmp_path):
    world_model, inverse = models
    folder = write_tiny_bundles(tmp_path, POSES, pixels=True)[1]
    on_pixels = OnnxInverseDynamics(load_bundle(folder, INVERSE_DYNAMICS))
    latents, pixels = (Reader(model, world_model, 0) for model in (inverse, on_pixels))
    for name in ("recorded", "reconstructed"):
        one, two = (
            getattr(reader, name)(windows, dreams.real, dreams.newest)
            for reader in (latents, pixels)
        )
        np.testing.assert_allclose(one.actions, two.actions, atol=1e-3, err_msg=name)
    one, two = (reader(windows, dreams.acted, dreams.newest) for reader in (latents, pixels))
    np.testing.assert_allclose(one.actions, two.actions, atol=1e-3)


def test_open_or_closed_is_a_matter_of_half_the_widest_command(windows):
    wanted = actions.unpack(windows.targets)
    widest = wanted.width.max()
    everything = np.ones(len(windows), bool)

    def share(width):
        targets = dataclasses.replace(wanted, width=width)
        figures = command_figures(windows, {"frames": targets}, {"frames": everything})
        (found,) = [figure for figure in figures if "open or closed" in figure.name]
        return found.value

    assert share(wanted.width) == 100
    half = widest / 2
    nudged = np.where(wanted.width > half, half + 1e-6, half - 1e-6)
    assert share(nudged) == 100
    assert share(widest - nudged) == 0

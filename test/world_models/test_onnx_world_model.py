"""The ONNX world model: dreams go where the goal says, and only the generator makes them differ."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_models import (
    CONTEXT,
    DT,
    HORIZON,
    add_scene_decoder,
    picture,
    scene_decoder_graph,
    write_tiny_bundles,
)

from wm_planner import actions
from wm_planner.bundle import WORLD_MODEL, Bundle, load_bundle
from wm_planner.errors import BundleError, DataError, ShapeError, UnknownNameError
from wm_planner.types import ActionChunks, Goal, HandPoses, ObservationWindow, Restart
from wm_planner.world_models.onnx_world_model import OnnxWorldModel, OnnxWorldModelSettings

TARGETS = np.random.default_rng(5).uniform(-1, 1, (2, 20))
NOW = np.random.default_rng(6).uniform(-1, 1, 20)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    folder, _ = write_tiny_bundles(tmp_path_factory.mktemp("tiny"), TARGETS)
    return load_bundle(folder, WORLD_MODEL)


@pytest.fixture(scope="module")
def model(bundle) -> OnnxWorldModel:
    return OnnxWorldModel(bundle)


def make_window(camera: str = "head", dt: float = DT, frames: int = CONTEXT) -> ObservationWindow:
    return ObservationWindow(
        stamps_ns=np.arange(frames) * round(dt * 1e9),
        images={camera: picture(np.stack([NOW] * frames))},
        joint_position=np.zeros((frames, 12)),
        joint_velocity=np.zeros((frames, 12)),
        gripper_width=np.zeros((frames, 2)),
        actions=np.zeros((frames - 1, 20)),
        dt=dt,
    )


def dream(model: OnnxWorldModel, goal: Goal, seed: int = 0, candidates: int = 3) -> np.ndarray:
    generator = np.random.default_rng(seed)
    latents = model.imagine(make_window(), goal, candidates, generator).latents
    return latents.reshape(candidates, HORIZON, 20).astype(float)


def test_that_decode_undoes_encode(model):
    images = picture(np.random.default_rng(0).uniform(-1, 1, (4, 20)))
    np.testing.assert_array_equal(model.decode(model.encode(images)), images)


@pytest.fixture(scope="module")
def with_scenes(tmp_path_factory) -> OnnxWorldModel:
    folder, _ = write_tiny_bundles(tmp_path_factory.mktemp("scenes"), TARGETS)
    return OnnxWorldModel(load_bundle(add_scene_decoder(folder), WORLD_MODEL))


def littered(count: int) -> np.ndarray:
    """Pictures with something in them that the latents do not tell."""
    images = picture(np.random.default_rng(1).uniform(-1, 1, (count, 20)))
    images.reshape(count, -1)[:, 40:] = np.arange(1, count + 1)[:, None]
    return images


def test_that_what_the_latents_do_not_tell_is_taken_from_the_scene(model, with_scenes):
    scenes, frames = littered(2), littered(6)
    latents, poses = with_scenes.encode(frames), frames.reshape(6, -1)[:, :40]
    for scene, whose in ((scenes[0], [0] * 6), (scenes, [0, 0, 0, 1, 1, 1]), (frames, range(6))):
        images = with_scenes.decode(latents, scene).reshape(6, -1)
        shown = scene.reshape(-1, images.shape[1])
        np.testing.assert_array_equal(images[:, :40], poses)
        np.testing.assert_array_equal(images[:, 40:], shown[list(whose), 40:])
    alone = model.decode(latents)
    np.testing.assert_array_equal(with_scenes.decode(latents), alone)
    np.testing.assert_array_equal(model.decode(latents, scenes), alone)  # a bundle without it


def test_that_scenes_of_any_size_are_fitted_and_odd_numbers_of_them_refused(with_scenes):
    frames = littered(4)
    latents = with_scenes.encode(frames)
    large = frames[0].repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(
        with_scenes.decode(latents, large), with_scenes.decode(latents, frames[0])
    )
    for count in (0, 3):
        with pytest.raises(ShapeError, match=f"scene: got {count} images for 4 latents"):
            with_scenes.decode(latents, littered(3)[:count])


def test_that_a_scene_decoder_for_other_images_is_refused(tmp_path):
    folder, _ = write_tiny_bundles(tmp_path, TARGETS)
    text, weights = scene_decoder_graph()
    other = text.replace("uint8[S,6,8,3] scene", "uint8[S,12,4,3] scene")
    bundle = load_bundle(add_scene_decoder(folder, (other, weights)), WORLD_MODEL)
    with pytest.raises(BundleError, match=r"scene uint8 \['S', 12, 4, 3\], .*expected"):
        OnnxWorldModel(bundle)


@pytest.mark.parametrize(("instruction", "target"), [("go home", 0), ("LIFT, please!", 1)])
def test_that_dreams_approach_what_was_asked_for(model, instruction, target):
    frames = dream(model, Goal(instruction))
    distance = np.abs(frames - TARGETS[target]).mean(axis=(0, 2))
    assert (np.diff(distance) < 0).all()
    assert distance[-1] < 0.4 * np.abs(NOW - TARGETS[target]).mean()


def test_that_dreams_approach_a_goal_image(model):
    wanted = np.random.default_rng(9).uniform(-1, 1, 20)
    frames = dream(model, Goal(image=picture(wanted)))
    assert np.abs(frames[:, -1] - wanted).mean() < 0.4 * np.abs(NOW - wanted).mean()


def test_that_without_a_goal_nothing_is_approached(model):
    np.testing.assert_allclose(dream(model, Goal())[:, -1], np.stack([NOW] * 3), atol=0.01)


def test_that_an_instruction_without_known_words_lists_known_ones(model):
    with pytest.raises(UnknownNameError, match=r"'Make tea'.*Known: go home, lift both hands"):
        dream(model, Goal("Make tea"))


def test_that_the_generator_decides_alone(model):
    goal = Goal("go home")
    np.testing.assert_array_equal(dream(model, goal, seed=4), dream(model, goal, seed=4))
    assert not np.array_equal(dream(model, goal, seed=4), dream(model, goal, seed=5))
    assert not np.array_equal(*dream(model, goal, candidates=2))


@pytest.mark.parametrize("count", [1, 3])
def test_that_dreams_begin_with_what_is_decided_and_still_approach_the_goal(
    model, generator, count
):
    goal, committed = Goal("go home"), _poses(generator, count)
    rollouts = model.imagine(make_window(), goal, 3, np.random.default_rng(0), committed)
    frames = rollouts.latents.reshape(3, HORIZON, 20).astype(float)
    for row in range(count):
        told, nearest = actions.pack(committed)[row], np.abs(dream(model, goal)[:, row] - NOW)
        assert np.abs(frames[:, row] - told).mean() < 0.05 < nearest.mean()
    free = dream(model, goal)
    np.testing.assert_array_equal(frames[:, count:], free[:, count:])  # frames of this model


def test_that_simulate_shows_what_was_commanded(model, generator):
    start = actions.unpack(actions.pack(_poses(generator)))
    targets = HandPoses(*(np.stack([part] * 2) for part in _parts(_poses(generator, HORIZON))))
    chunks = ActionChunks(
        actions.difference(start, targets), np.zeros((2, HORIZON, 20)), DT, 0, "hash"
    )
    rollouts = model.simulate(make_window(), start, chunks, generator)
    np.testing.assert_allclose(
        rollouts.latents.reshape(2, HORIZON, 20), actions.pack(targets), atol=0.01
    )


def test_that_simulated_chunks_differ_by_what_they_do_alone(tmp_path, generator):
    folder, _ = write_tiny_bundles(tmp_path, TARGETS, noise=0.1)
    one = OnnxWorldModelSettings(denoising_steps=1)
    model = OnnxWorldModel(load_bundle(folder, WORLD_MODEL), one)
    chain = actions.difference(_poses(generator), _poses(generator, 3, HORIZON))
    chain[2] = chain[0]
    chunks = ActionChunks(chain, np.zeros_like(chain), DT, 0, "hash")
    first, other, again = model.simulate(
        make_window(), _poses(generator), chunks, generator
    ).latents
    np.testing.assert_array_equal(again, first)
    assert not np.array_equal(other, first)
    redrawn = model.simulate(make_window(), _poses(generator), chunks, generator).latents
    assert not np.array_equal(redrawn[0], first)


def test_that_simulate_refuses_another_horizon(model, generator):
    chunks = ActionChunks(np.zeros((2, 3, 20)), np.zeros((2, 3, 20)), DT, 0, "hash")
    with pytest.raises(ShapeError, match=rf"chunks have 3 steps.*dreams {HORIZON}"):
        model.simulate(make_window(), _poses(generator), chunks, generator)


def test_that_the_value_is_highest_at_the_goal(model):
    latents = np.stack([TARGETS[0], NOW, TARGETS[1]]).reshape(3, 2, 10)
    value = model.value(latents, Goal("lift"))
    assert value.argmax() == 2
    assert value[2] == pytest.approx(0.0, abs=1e-6)


def test_that_settings_change_steps_and_diversity(model, tmp_path):
    folder, _ = write_tiny_bundles(tmp_path, TARGETS, noise=0.1)
    bundle = load_bundle(folder, WORLD_MODEL)

    def spread(settings: OnnxWorldModelSettings) -> float:
        frames = dream(OnnxWorldModel(bundle, settings), Goal("lift"), candidates=8)
        return float(frames.std(axis=0).mean())

    usual = spread(OnnxWorldModelSettings(denoising_steps=1))
    assert spread(OnnxWorldModelSettings(denoising_steps=1, noise_scale=0.1)) < 0.2 * usual


@pytest.mark.parametrize("weight", [1.0, 1.5])
def test_that_frame_by_frame_asks_for_each_frame_in_its_place(bundle, weight, generator):
    """This world's frames do not depend on those before, so both orders give the same dream."""
    settings = OnnxWorldModelSettings(guidance_instruction=weight, denoising_steps=1)
    by_frame = dataclasses.replace(settings, frame_by_frame=True)
    models = [OnnxWorldModel(bundle, s) for s in (settings, by_frame)]
    together, single = (dream(m, Goal("lift"), seed=2) for m in models)
    np.testing.assert_allclose(single, together, atol=1e-3)
    start, shape = _poses(generator), (3, HORIZON, 20)
    chain = actions.difference(start, _poses(generator, 3, HORIZON))
    chunks = ActionChunks(chain, np.zeros(shape), DT, 0, "hash")
    acted = [m.simulate(make_window(), start, chunks, np.random.default_rng(0)) for m in models]
    np.testing.assert_allclose(acted[1].latents, acted[0].latents, atol=2e-3)


@pytest.mark.parametrize("by_frame", [False, True])
@pytest.mark.parametrize("weight", [1.0, 1.5])
def test_that_a_restart_keeps_what_was_good_and_dreams_the_rest_anew(bundle, weight, by_frame):
    settings = OnnxWorldModelSettings(guidance_instruction=weight, frame_by_frame=by_frame)
    model, goal = OnnxWorldModel(bundle, settings), Goal("lift")
    first = model.imagine(make_window(), goal, 3, np.random.default_rng(0)).latents
    kept, ones = np.array([0, 2, HORIZON]), np.ones(3)
    again = Restart(first, kept, ones, ones)
    second = model.imagine(make_window(), goal, 3, np.random.default_rng(1), restart=again).latents
    for k, count in enumerate(kept):
        np.testing.assert_array_equal(second[k, :count], first[k, :count])
        assert (second[k, count:] != first[k, count:]).any(axis=(1, 2)).all()
    frames = second.reshape(3, HORIZON, 20).astype(float)
    distance = np.abs(frames - TARGETS[1]).mean(axis=(0, 2))
    if weight == 1.0:
        assert (np.diff(distance) < 0).all()  # it still leads where it was asked to


def test_that_keeping_nothing_is_dreaming_as_usual(model):
    nothing = Restart(np.zeros((2, HORIZON, 2, 10)), np.zeros(2, int), np.ones(2), np.ones(2))
    made = (make_window(), Goal("lift"), 2)
    one = model.imagine(*made, np.random.default_rng(3)).latents
    other = model.imagine(*made, np.random.default_rng(3), restart=nothing).latents
    np.testing.assert_array_equal(one, other)


def test_that_each_row_of_a_restart_has_its_own_noise_and_guidance(tmp_path):
    folder, _ = write_tiny_bundles(tmp_path, TARGETS, noise=0.1)
    model = OnnxWorldModel(load_bundle(folder, WORLD_MODEL))
    old = np.zeros((3, HORIZON, 2, 10))

    def again(noise, guidance):
        restart = Restart(old, np.zeros(3, int), np.array(noise), np.array(guidance))
        generator = np.random.default_rng(3)
        return model.imagine(make_window(), Goal("lift"), 3, generator, restart=restart).latents

    usual, quiet = again([1.0, 1.0, 1.0], [1.0] * 3), again([1.0, 0.0, 1.0], [1.0, 1.0, 2.0])
    silent = again([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(quiet[0], usual[0], atol=2e-3)
    np.testing.assert_allclose(quiet[1], silent[1], atol=2e-3)
    assert np.abs(quiet[1] - usual[1]).max() > 0.02
    ahead = [np.abs(one[2, -1].reshape(20) - NOW).mean() for one in (usual, quiet)]
    assert ahead[1] > 1.5 * ahead[0]


def test_that_a_restart_of_another_shape_is_refused(model):
    other = Restart(np.zeros((2, HORIZON + 1, 2, 10)), np.zeros(2, int), np.ones(2), np.ones(2))
    with pytest.raises(ShapeError, match=r"restart has dreams \(2, 6, 2, 10\), expected \(2, 5"):
        model.imagine(make_window(), Goal("lift"), 2, np.random.default_rng(0), restart=other)


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_that_guidance_goes_on_along_what_the_instruction_adds(model, tmp_path, weight):
    folder, _ = write_tiny_bundles(tmp_path, TARGETS, noise=0.0)
    bundle = load_bundle(folder, WORLD_MODEL)
    usual = dream(OnnxWorldModel(bundle), Goal("lift"))
    settings = OnnxWorldModelSettings(guidance_instruction=weight)
    guided = dream(OnnxWorldModel(bundle, settings), Goal("lift"))
    np.testing.assert_allclose(guided - NOW, weight * (usual - NOW), atol=5e-3)
    np.testing.assert_array_equal(  # nothing is asked: nothing to follow further
        dream(OnnxWorldModel(bundle, settings), Goal()), dream(OnnxWorldModel(bundle), Goal())
    )


@pytest.mark.parametrize(
    ("window", "error", "message"),
    [
        ({"camera": "wrist"}, DataError, "needs camera 'head', window has wrist"),
        ({"dt": 0.1}, DataError, "frames are 0.1 s apart, world model needs 0.2 s"),
        ({"frames": 3}, ShapeError, "has 3 frames, world model needs 2"),
    ],
)
def test_that_windows_that_do_not_fit_are_refused(model, generator, window, error, message):
    with pytest.raises(error, match=message):
        model.imagine(make_window(**window), Goal("lift"), 1, generator)


def _poses(generator: np.random.Generator, *lead: int) -> HandPoses:
    return actions.unpack(generator.uniform(-1, 1, (*lead, 20)))


def _parts(poses: HandPoses) -> tuple[np.ndarray, ...]:
    return poses.position, poses.rotation, poses.width

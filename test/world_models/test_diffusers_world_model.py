"""A video pipeline as the planner's world model: from pixels it dreamed to a plan."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_pipelines
import yaml
from painted_rig import RIG, ROBOT, home_and_lifted, write_config
from tiny_models import CONTEXT, DT, HORIZON, picture

from wm_planner import actions
from wm_planner.assembly import assemble, default_config_path, load_config
from wm_planner.errors import BundleError, ConfigurationError, DataError
from wm_planner.types import ActionChunks, Goal, HandPoses, NoPlan, ObservationWindow, Plan
from wm_planner.world_models.diffusers_world_model import frame_numbers

SETTINGS = {
    "fps": 10.0, "height": 48, "width": 64, "inference_steps": 1, "dtype": "float32",
    "device": "cpu",
}  # fmt: skip


def configure(folder: Path, checkpoint: Path | str, pixels: bool = False, **changes):
    """The tiny models, but for the dreams."""
    folder.mkdir(exist_ok=True)
    path = write_config(folder, pixels=pixels)
    contents = yaml.safe_load(path.read_text())
    settings = {"checkpoint": str(checkpoint), **SETTINGS, **changes}
    contents["world_model"] |= {"type": "diffusers", "settings": settings}
    contents["planner"] = {"candidates": 2, "regeneration_rounds": 0}
    path.write_text(yaml.safe_dump(contents))
    return load_config(path)


def make_window(camera: str = "head", images=None, dt: float = DT) -> ObservationWindow:
    """Arms at home; pictures of that for the tiny models unless others are given."""
    if images is None:
        images = picture(np.stack([actions.pack(home_and_lifted()[0])] * CONTEXT))
    frames = len(images)
    return ObservationWindow(
        stamps_ns=np.arange(frames) * round(dt * 1e9),
        images={camera: images},
        joint_position=np.stack([RIG.home] * frames),
        joint_velocity=np.zeros((frames, len(RIG.home))),
        gripper_width=np.full((frames, 2), 0.08),
        actions=np.zeros((frames - 1, 20)),
        dt=dt,
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    for name in ("torch", "diffusers", "transformers"):
        pytest.importorskip(name, reason="video models need the [diffusers] extra")
    return tiny_pipelines.save_wan(tmp_path_factory.mktemp("wan"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory, checkpoint):
    return assemble(configure(tmp_path_factory.mktemp("stack"), checkpoint))


def test_a_real_pipeline_plans_with_the_shipped_models_from_end_to_end(tmp_path, checkpoint):
    contents = yaml.safe_load(default_config_path().read_text())
    for name in ("world_model", "inverse_dynamics"):
        contents[name]["bundle"] = str(getattr(load_config(), name).bundle)
    settings = {"checkpoint": str(checkpoint), **SETTINGS, "height": 0, "width": 0}
    contents["world_model"] |= {"type": "diffusers", "settings": settings}
    contents |= {"filters": {}, "planner": {"candidates": 2}}
    path = tmp_path / "planner.yaml"
    path.write_text(yaml.safe_dump(contents))
    stack = assemble(load_config(path))
    model, generator = stack.world_model, np.random.default_rng(0)
    image = generator.integers(0, 255, (96, 128, 3), dtype=np.uint8)
    window = make_window(images=np.stack([image] * model.spec.context_frames), dt=model.spec.dt)
    goal = Goal(model.spec.instructions[0])
    report = stack.planner.plan(window, goal, generator)
    assert isinstance(report.plan, Plan)  # untrained, and no filter: some motion or other
    horizon = model.spec.horizon
    assert report.plan.actions.shape == (horizon, 20)
    assert report.rollouts.latents.shape == (2, horizon, *model.spec.latent_shape)
    assert (report.rollouts.latents[0] != report.rollouts.latents[1]).any()
    # What inverse dynamics read are the pixels of the video, encoded by the shipped encoder.
    seeds = np.random.SeedSequence(report.rollouts.seed).generate_state(2, np.uint64) >> 1
    latents = model.look(model.video(window, goal, int(seeds[1])))
    np.testing.assert_allclose(report.rollouts.latents[1], latents, atol=5e-3)
    frames = np.concatenate([model.look(image[None]), latents.astype(np.float16)])[None]
    measured = stack.robot.hand_poses(RIG.home, np.full(2, 0.08))
    chunks = stack.inverse_dynamics.invert(frames, measured, model.spec.dt, 0, "hash")
    np.testing.assert_allclose(report.chunks.actions[1], chunks.actions[0], atol=1e-6)


def test_the_generator_and_the_instruction_decide_alone(stack):
    def dream(instruction, seed):
        generator = np.random.default_rng(seed)
        return stack.world_model.imagine(make_window(), Goal(instruction), 1, generator).latents

    np.testing.assert_array_equal(dream("go home", 3), dream("go home", 3))
    assert (dream("go home", 3) != dream("go home", 4)).any()
    assert (dream("go home", 3) != dream("lift both hands", 3)).any()


def test_the_noise_of_an_untrained_model_does_not_get_past_the_filter(stack):
    report = stack.planner.plan(make_window(), Goal("go home"), np.random.default_rng(0))
    assert isinstance(report.plan, NoPlan)
    assert report.plan.reason


@pytest.mark.parametrize(
    ("dreams", "pixels"), [("encoded", False), ("encoded", True), ("pictures", True)]
)
def test_a_video_of_moving_arms_becomes_their_motion(
    tmp_path, checkpoint, monkeypatch, dreams, pixels
):
    """The pipeline stands in for one that works: at 10 Hz its video shows a slow lift."""
    changes = {"height": 0, "width": 0, "fps": 10.0, "dreams": dreams}
    stack = assemble(configure(tmp_path, checkpoint, pixels, **changes))
    home, lifted = (actions.pack(poses) for poses in home_and_lifted())
    asked = {}

    def generate(image, prompt, frames, fps, seed, steps, guidance):
        np.testing.assert_array_equal(image, picture(home))
        asked.update(prompt=prompt, frames=frames, fps=fps)
        share = np.linspace(0, 0.3, frames)[:, None]
        return picture(home + share * (lifted - home))

    monkeypatch.setattr(stack.world_model._pipeline, "generate", generate)
    goal = Goal("lift both hands")
    plan = stack.planner.plan(make_window(), goal, np.random.default_rng(0)).plan
    assert asked == {"prompt": "lift both hands", "frames": 13, "fps": 10.0}  # 4 n + 1, 11 needed
    assert isinstance(plan, Plan)
    reached = ROBOT.hand_poses(plan.joint_position, plan.gripper_width).position  # (H, 2, 3)
    share = 0.3 * np.arange(2, 2 * HORIZON + 1, 2) / 12  # every other frame of the video
    expected = home_and_lifted()[0].position + share[:, None, None] * (
        home_and_lifted()[1].position - home_and_lifted()[0].position
    )
    np.testing.assert_allclose(reached, expected, atol=2e-3)  # m


def test_pictures_are_their_own_latents_and_only_pixels_are_read_off_them(tmp_path, checkpoint):
    stack = assemble(configure(tmp_path / "pixels", checkpoint, True, dreams="pictures"))
    model, images = stack.world_model, make_window().images["head"]
    np.testing.assert_array_equal(model.decode(model.encode(images)), images)
    plain = assemble(configure(tmp_path / "plain", checkpoint)).world_model
    goal = Goal("lift both hands")
    values = model.value(model.encode(images), goal)
    np.testing.assert_allclose(values, plain.value(plain.encode(images), goal), atol=1e-5)
    message = r"^latents: world model has \(6, 8, 3\), inverse dynamics reads \(2, 10\)$"
    with pytest.raises(BundleError, match=message):
        assemble(configure(tmp_path / "latents", checkpoint, dreams="pictures"))


@pytest.mark.parametrize(
    ("fps", "expected"),
    [(5.0, [1, 2, 3, 4]), (15.0, [3, 6, 9, 12]), (8.0, [2, 3, 5, 6]), (2.5, [0, 1, 2, 2])],
)
def test_frames_are_taken_where_the_steps_are_due(fps, expected):
    numbers = frame_numbers(4, 0.2, fps)
    assert numbers.tolist() == expected
    assert np.abs(numbers / fps - 0.2 * np.arange(1, 5)).max() <= 0.5 / fps + 1e-9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checkpoint": "wan"}, "checkpoint is 'wan', expected the absolute path"),
        ({"checkpoint": ""}, "checkpoint is '', expected the absolute path"),
        ({"checkpoint": "/nowhere"}, "checkpoint /nowhere is no folder"),
        ({"fps": 0.0}, "fps is 0, expected the frame rate that the pipeline was trained at"),
        ({"frames": 7}, f"frames is 7, expected at least 11: {HORIZON} steps of {DT} s at 10 Hz"),
        ({"prompt": "do it"}, r"prompt is 'do it', expected \{instruction\} in it"),
        ({"width": 0}, "height is 48, width is 0: give both or none"),
        ({"dtype": "int8"}, "dtype is 'int8', expected one of 'bfloat16'"),
    ],
)
def test_that_mistakes_are_named(tmp_path, changes, message):
    with pytest.raises(ConfigurationError, match=message) as error:
        assemble(configure(tmp_path, **{"checkpoint": "/nowhere", **changes}))
    assert "\n" not in str(error.value)


def test_what_it_cannot_do_is_said(stack, generator):
    zero = np.zeros((1, HORIZON, 20))
    home = HandPoses(np.zeros((2, 3)), np.stack([np.eye(3)] * 2), np.zeros(2))
    with pytest.raises(ConfigurationError, match="cannot simulate actions: its pipeline takes"):
        chunks = ActionChunks(zero, zero, DT, 0, "hash")
        stack.world_model.simulate(make_window(), home, chunks, generator)
    with pytest.raises(DataError, match="needs camera 'head', window has wrist"):
        stack.world_model.imagine(make_window("wrist"), Goal(), 1, generator)


def test_the_runtime_imports_neither_torch_nor_diffusers():
    program = (
        "import sys; from wm_planner.assembly import load_config; load_config();"
        "import wm_planner.world_models.diffusers_world_model;"
        "print({'torch', 'diffusers'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"

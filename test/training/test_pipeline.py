"""Training a little, stopping, continuing and exporting: the whole path at its smallest."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner import actions  # noqa: E402
from wm_planner.bundle import (  # noqa: E402
    INVERSE_DYNAMICS,
    WORLD_MODEL,
    SamplerSpec,
    load_bundle,
    mismatches,
)
from wm_planner.errors import ConfigurationError, DataError  # noqa: E402
from wm_planner.training.bundles import export_run  # noqa: E402
from wm_planner.training.networks.denoiser import Denoiser  # noqa: E402
from wm_planner.training.onnx_export import round_weights  # noqa: E402
from wm_planner.training.pipeline import Run  # noqa: E402
from wm_planner.training.stages import STAGES  # noqa: E402
from wm_planner.training.training_settings import TrainingSettings  # noqa: E402
from wm_planner.training.warm_start import GRAPHS, WarmStart  # noqa: E402
from wm_planner.types import ActionChunks, Goal, ObservationWindow  # noqa: E402
from wm_planner.world_models.onnx_world_model import OnnxWorldModel  # noqa: E402
from wm_planner.world_models.sampler import denoise, signal_levels  # noqa: E402

LATENT_STAGES = tuple(name for name in STAGES if name != "pixel_inverse_dynamics")
TINY = TrainingSettings(
    horizon=4, width=32, layers=1, autoencoder_steps=4, denoiser_steps=4, value_steps=4,
    inverse_dynamics_steps=4, autoencoder_batch=8, denoiser_batch=4, value_batch=16,
    inverse_dynamics_batch=16, inverse_dynamics_on_dreams_steps=4, made_pieces=8,
    inverse_dynamics_window=3, calibration_share=0.2, checkpoint_every=2, denoising_steps=2,
    preference_steps=4, instruction_steps=4, scene_decoder_steps=4, scene_decoder_batch=4,
    scene_decoder_dreamed_share=0.4,
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory, source):
    run = Run(tmp_path_factory.mktemp("run"), TINY, source, {"episodes": 8})
    for stage in LATENT_STAGES:
        run.train(stage)
    return run


def test_an_interrupted_run_ends_bit_exactly_where_an_uninterrupted_one_ends(
    finished, tmp_path, source, monkeypatch
):
    from wm_planner.training import pipeline

    def stop_after_two(model, loss, *rest):
        calls = iter(range(2))

        def until_two(*args):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return loss(*args)

        return real_train(model, until_two, *rest)

    real_train = pipeline.train
    run = Run(tmp_path, TINY, source, {"episodes": 8})
    for stage in LATENT_STAGES:
        monkeypatch.setattr(pipeline, "train", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            run.train(stage)
        monkeypatch.setattr(pipeline, "train", real_train)
        run.train(stage)
        for (name, a), b in zip(
            finished.load(stage).state_dict().items(),
            run.load(stage).state_dict().values(),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=0, atol=0, msg=f"{stage}: {name}")


def test_every_weight_is_trained(finished):
    """A weight that keeps its first value is not connected."""
    for stage in LATENT_STAGES:
        torch.manual_seed(TINY.seed)
        model = finished.load("inverse_dynamics") if "dreams" in stage else finished.fresh(stage)
        first = dict(model.named_parameters())
        same = [
            name
            for name, value in finished.load(stage).named_parameters()
            if torch.equal(value, first[name]) and not value.eq(0).all()
        ]
        assert not same, stage


def test_export_writes_two_bundles_that_fit_each_other(finished, tmp_path, source):
    figures = export_run(finished, tmp_path, held_out=source)
    world_model = load_bundle(tmp_path / "world_model", WORLD_MODEL)
    inverse = load_bundle(tmp_path / "inverse_dynamics", INVERSE_DYNAMICS)
    cameras = {"head": (96, 128)}
    assert not mismatches(world_model.manifest, inverse.manifest, "simulated_bimanual", cameras)
    assert world_model.manifest.vocabulary == ("cube", "lift", "the")
    assert world_model.manifest.evaluation == figures
    assert figures["psnr_reconstruction_db"] > 5
    card = (tmp_path / "world_model" / "README.md").read_text()
    assert "psnr_reconstruction_db" in card and "lift the cube" in card


def test_a_run_of_before_a_setting_existed_goes_on(finished, source, tmp_path):
    facts = json.loads((finished.folder / "run.json").read_text())
    for name in ("prediction", "without_kinds", "outcomes"):
        del facts["settings"][name]
    (tmp_path / "run.json").write_text(json.dumps(facts))
    Run(tmp_path, TINY, source, {"episodes": 8})
    with pytest.raises(ConfigurationError, match="settings differs"):
        Run(tmp_path, dataclasses.replace(TINY, without_kinds=("play",)), source, {"episodes": 8})


@pytest.mark.parametrize("shipped", [False, True])
def test_a_warm_start_takes_over_every_weight_that_matters(finished, tmp_path, source, shipped):
    folder = finished.folder
    if shipped:
        folder = tmp_path / "bundles"
        export_run(finished, folder, held_out=None)
    # The other data set's words come in another order, with one that is new.
    words = ["lift a cube" if text else "" for text in source.instruction]
    again = Run(
        tmp_path / "again", TINY, dataclasses.replace(source, instruction=words),
        start=WarmStart(folder),
    )  # fmt: skip
    assert again.vocabulary == ("a", "cube", "lift")
    for stage in filter(again.start.holds, GRAPHS):
        model = again.fresh(stage)
        again.start.load_into(model, stage, again.vocabulary, TINY.rig, TINY.channels)
        new = dict(model.named_parameters())
        shipping = {"inverse_dynamics": "inverse_dynamics_on_dreams"}.get(stage, stage)
        old = finished.load(shipping)
        if shipped and stage in ("autoencoder", "scene_decoder"):  # as decoders are stored
            round_weights(old.decoder if stage == "autoencoder" else old, in_8_bits=True)
        for name, value in old.named_parameters():
            if name == "words.weight":
                torch.testing.assert_close(new[name][:, 1:3], value[:, :2], rtol=1e-3, atol=1e-4)
            elif name.startswith("encoder.11.") and shipped:
                continue  # the normalisation behind it is folded into it
            elif not (shipped and "_head." in name):  # heads of training are not shipped
                torch.testing.assert_close(
                    new[name], value, rtol=1e-3, atol=1e-4, msg=f"{stage}: {name}"
                )
    started_from = json.loads((again.folder / "run.json").read_text())["notes"]["started_from"]
    assert started_from == again.start.identity
    assert str(tmp_path) not in started_from  # cards do not tell where things were on a disk


def test_a_warm_start_for_another_rig_keeps_the_statistics_of_its_own_recordings(finished):
    start = WarmStart(finished.folder)
    statistics = {
        "autoencoder": ["mean_image", "mean_patches"],
        "denoiser": ["target_mean", "target_std"],
        "inverse_dynamics": ["mean", "std"],
    }
    for stage, names in statistics.items():
        for rig, kept in ((TINY.rig, False), ("another_rig", True)):
            model = finished.fresh(stage)
            for name in names:
                model.get_buffer(name).fill_(7)
            start.load_into(model, stage, finished.vocabulary, rig, TINY.channels)
            assert [bool(model.get_buffer(n).eq(7).all()) for n in names] == [kept] * 2, stage


@torch.no_grad()
def test_a_warm_start_with_a_longer_future_dreams_the_same_as_far_as_both_reach(finished):
    old = finished.load("denoiser").eval()
    assert isinstance(old, Denoiser)
    settings = dataclasses.replace(old.settings, horizon=TINY.horizon + 3)
    longer = Denoiser(settings, torch.zeros(20), torch.ones(20)).eval()
    start = WarmStart(finished.folder)
    start.load_into(longer, "denoiser", finished.vocabulary, TINY.rig, TINY.channels)
    frame, future = (settings.tokens, settings.channels), (2, settings.horizon)
    steps = torch.randn(*future, *frame), torch.rand(future)
    targets = torch.randn(*future, 20), torch.ones(future)
    whole = torch.zeros(2, settings.vocabulary), torch.randn(2, *frame), torch.ones(2, 1)
    context, outcome = torch.randn(2, 2, *frame), torch.ones(2, dtype=torch.long)
    expected = old(
        context, *(x[:, : TINY.horizon] for x in steps), *whole,
        *(x[:, : TINY.horizon] for x in targets), outcome,
    )  # fmt: skip
    actual = longer(context, *steps, *whole, *targets, outcome)
    torch.testing.assert_close(actual[:, : TINY.horizon], expected)
    torch.testing.assert_close(longer.frame_place[-1], old.frame_place[-1])


def test_a_warm_start_refuses_other_folders_and_other_architectures(finished, tmp_path, source):
    with pytest.raises(DataError, match="neither a training run"):
        WarmStart(tmp_path)
    wide = Run(tmp_path / "wide", dataclasses.replace(TINY, channels=8), source)
    with pytest.raises(DataError, match="no weight of its value fits"):
        start = WarmStart(finished.folder)
        start.load_into(torch.nn.Linear(2, 2), "value", wide.vocabulary, "any", 8)


def test_a_fresh_weights_control_finds_enough_weights(finished, tmp_path, source):
    from wm_planner.bundle import with_fresh_weights

    export_run(finished, tmp_path, held_out=None)
    bundle = load_bundle(tmp_path / "world_model", WORLD_MODEL)
    control = with_fresh_weights(bundle, seed=1)
    assert control.bundle_hash != bundle.bundle_hash


def test_refuses_a_folder_of_another_run(finished, source):
    other = dataclasses.replace(TINY, width=64)
    with pytest.raises(ConfigurationError, match="settings differs"):
        Run(finished.folder, other, source, {"episodes": 8})


def test_stages_need_their_predecessors(tmp_path, source):
    with pytest.raises(DataError, match="train the autoencoder first"):
        Run(tmp_path, TINY, source).train("denoiser")


def test_curves_are_written_and_survive(finished):
    record = json.loads((finished.folder / "run.json").read_text())
    assert set(record["seconds"]) == set(LATENT_STAGES)
    assert np.load(finished.folder / "latents.npy").shape == (96, 12, 32)


@pytest.mark.parametrize(
    "options",
    [
        {"prediction": "v", "shortcut": True, "inverse_dynamics_head": "flow"},
        {"prediction": "masked_residual", "actions": "both", "denoiser_token": "cell"},
        {"prediction": "x", "actions": "hands", "shortcut": True, "denoiser_token": "frame"},
        # 16 frames, more than there are in any episode
        {"context_frames": 2, "horizon": 14, "inverse_dynamics_window": 8},
        {"gripper_widths": True, "shortcut": True},
    ],
)
def test_other_ways_to_predict_train_and_export(tmp_path, source, options):
    settings = dataclasses.replace(TINY, **{"context_frames": 3, **options})
    past, horizon = settings.context_frames, settings.horizon
    run = Run(tmp_path / "run", settings, source, {"episodes": 8})
    for stage in LATENT_STAGES:
        run.train(stage)
    figures = export_run(run, tmp_path / "out", source)  # checks ONNX against torch
    assert np.isfinite(list(figures.values())).all()
    model = OnnxWorldModel(load_bundle(tmp_path / "out" / "world_model", WORLD_MODEL))
    inputs = [tensor.name for tensor in model.manifest.graphs["denoiser"].inputs]
    assert ("stride" in inputs) == options.get("shortcut", False)
    assert ("gripper_width" in inputs) == options.get("gripper_widths", False)

    assert (model.spec.context_frames, model.spec.horizon) == (past, horizon)

    window = ObservationWindow(
        stamps_ns=np.arange(past) * 200_000_000,
        images={"head": source.frames[np.arange(past)]},
        joint_position=np.zeros((past, 12)), joint_velocity=np.zeros((past, 12)),
        gripper_width=0.08 * np.arange(2 * past).reshape(past, 2) / past,
        actions=np.zeros((past - 1, 20)), dt=0.2,
    )  # fmt: skip
    denoiser, renderer = run.load("denoiser"), run.hand_renderer()
    assert (renderer is None) == (settings.actions == "vectors")
    context = torch.from_numpy(np.stack([model.encode(window.images["head"])] * 2))
    start = actions.unpack(source.hand_pose[2])
    targets = actions.unpack(source.hand_target[2 : 2 + 2 * horizon].reshape(2, horizon, 20))
    chain = actions.difference(start, targets)
    chunks = ActionChunks(chain, np.zeros_like(chain), 0.2, 0, "hash")
    shown = {"targets": actions.pack(targets).astype(np.float32)}
    if renderer:
        shown["hands"] = renderer.render(targets) / np.float32(255)
    if settings.gripper_widths:
        shown["gripper_width"] = np.stack([window.gripper_width.astype(np.float32)] * 2)

    @torch.no_grad()
    def whole_window(given):
        def predict_clean(noisy, signal, stride):
            level, far = (torch.full((2, horizon), value) for value in (signal, stride))
            return denoiser(
                context=context, noisy=torch.from_numpy(noisy), signal=level,
                words=torch.zeros(2, len(run.vocabulary)), goal=torch.zeros(2, 12, 32),
                goal_given=torch.zeros(2, 1), targets_given=torch.full((2, horizon), given),
                outcome=torch.zeros(2, dtype=torch.long), stride=far,
                **{name: torch.from_numpy(value) for name, value in shown.items()},
            ).detach().numpy()  # fmt: skip

        return predict_clean

    signals = signal_levels(SamplerSpec(), TINY.denoising_steps)
    free = model.imagine(window, Goal(), 2, np.random.default_rng(0))
    acted = model.simulate(window, start, chunks, np.random.default_rng(1))
    for dream, given, rows in ((free, 0.0, 2), (acted, 1.0, 1)):  # acted: one noise for all
        shape = (rows, *dream.latents.shape[1:])
        noise = np.random.default_rng(dream.seed).standard_normal(shape, np.float32)
        noise = np.repeat(noise, 2 // rows, axis=0)
        again = denoise(whole_window(given), noise, signals)
        np.testing.assert_allclose(dream.latents.astype(float), again, atol=1e-2)  # half precision


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, about itself
def test_a_compiled_run_is_the_same_run(finished, tmp_path, source):
    """Whether to compile is a matter of the machine: the run goes on with it, to like weights."""
    run = Run(tmp_path, TINY, source, {"episodes": 8})
    run.train("autoencoder")
    run.train("inverse_dynamics")
    run = Run(tmp_path, dataclasses.replace(TINY, compile=True), source, {"episodes": 8})
    run.train("denoiser")
    for name, weight in run.load("denoiser").state_dict().items():
        torch.testing.assert_close(
            weight, finished.load("denoiser").state_dict()[name], atol=2e-3, rtol=0
        )

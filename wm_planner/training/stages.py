"""What each stage of a training run begins with: its network and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from torch import nn

from wm_planner.errors import ConfigurationError
from wm_planner.training import inverse_dynamics_stages
from wm_planner.training.autoencoder_training import autoencoder_loss
from wm_planner.training.hand_images import HandImages
from wm_planner.training.instruction_training import instruction_loss
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.inverse_dynamics import CALIBRATED, InverseDynamics
from wm_planner.training.networks.pixel_backbone import SmallConvolutions
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.training.noisy_windows import NoisyWindows
from wm_planner.training.preference_training import (
    LabelledPairs,
    PairDrawer,
    encode_pairs,
    preference_loss,
)
from wm_planner.training.run_record import note
from wm_planner.training.scene_decoder_training import loss_of_run
from wm_planner.training.teacher import teacher_of
from wm_planner.training.windows import Windows
from wm_planner.training.world_model_training import denoiser_loss, value_loss

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run


def _autoencoder(run: Run) -> tuple[nn.Module, LossFunction]:
    loss = autoencoder_loss(
        run.source, run.settings.autoencoder_batch, objects_from=0.0 if run.start else 0.2,
        anywhere_share=run.settings.autoencoder_anywhere_share,
    )  # fmt: skip
    model = run.networks.autoencoder()
    if run.settings.autoencoder_keep:
        begun = (run.folder / "autoencoder" / "checkpoint.pt").exists()
        if run.start is None and not begun:
            raise ConfigurationError(
                "autoencoder_keep is true, which keeps the encoder of --start-from: name one"
            )
        model.keep_encoder()
    return model, loss


def _noisy_windows(run: Run) -> NoisyWindows:
    """What the denoiser of a run learns from."""
    s = run.settings
    windows = Windows(
        run.source, run.latents, run.vocabulary, s.context_frames, s.horizon,
        impossible=s.impossible, hands=_hand_images(run), outcomes=s.outcomes,
        without_kinds=s.without_kinds, turns=s.turns,
    )  # fmt: skip
    return NoisyWindows(
        windows, s.denoiser_batch, s.denoiser_scene_noise, s.context_noise, s.own_levels,
        s.frame_action_dropout, s.window_action_dropout,
    )  # fmt: skip


def _denoiser(run: Run) -> tuple[nn.Module, LossFunction]:
    windows = _noisy_windows(run)
    inverter = run.load("inverse_dynamics")
    assert isinstance(inverter, InverseDynamics)
    return run.networks.denoiser(), denoiser_loss(
        windows,
        inverter.to(run.device),
        run.settings.command_weight,
        teacher_of(run),
    )


def _hand_images(run: Run) -> HandImages | None:
    renderer = run.hand_renderer()
    if renderer is None:
        return None
    with run.workers.first_alone():
        return HandImages.drawn_once(run.folder / "hands.npy", renderer, run.source.hand_target)


def _value(run: Run) -> tuple[nn.Module, LossFunction]:
    loss = value_loss(run.source, run.latents, run.vocabulary, run.settings.value_batch)
    return run.networks.value(), loss


def _preference(run: Run) -> tuple[nn.Module, LossFunction]:
    s = run.settings
    drawer = PairDrawer(
        run.source, run.latents, run.vocabulary, s.preference_frames,
        _labelled_pairs(run), s.labelled_share,
    )  # fmt: skip
    return run.networks.preference(), preference_loss(drawer, s.preference_batch)


def _labelled_pairs(run: Run) -> LabelledPairs | None:
    if not run.labels:
        return None
    autoencoder = run.load("autoencoder")
    assert isinstance(autoencoder, Autoencoder)
    with run.workers.first_alone() as first:
        if first:
            note(run.folder, "notes", "labelled_pairs", len(run.labels))
    frames = run.settings.preference_frames
    return encode_pairs(run.labels, autoencoder.to(run.device), frames)


def _instruction(run: Run) -> tuple[nn.Module, LossFunction]:
    loss = instruction_loss(run.source, run.latents, run.vocabulary, run.settings.instruction_batch)
    return run.networks.instruction(), loss


def _scene_decoder(run: Run) -> tuple[nn.Module, LossFunction]:
    autoencoder = run.load("autoencoder")
    assert isinstance(autoencoder, Autoencoder)
    return SceneDecoder(autoencoder), loss_of_run(run)


def _inverse_dynamics(run: Run) -> tuple[nn.Module, LossFunction]:
    return run.networks.inverse_dynamics(), inverse_dynamics_stages.loss_on_recorded(run)


def _inverse_dynamics_on_dreams(run: Run) -> tuple[nn.Module, LossFunction]:
    model = run.load("inverse_dynamics").train().requires_grad_()
    for name in CALIBRATED:  # a likelihood under an old fit would drown all else
        model.get_buffer(name).zero_()
    return model, inverse_dynamics_stages.loss_on_dreams(run)


def _pixel_inverse_dynamics(run: Run) -> tuple[nn.Module, LossFunction]:
    model, autoencoder = run.networks.pixel_inverse_dynamics(), run.load("autoencoder")
    assert model.backbone is not None and isinstance(autoencoder, Autoencoder)
    if isinstance(model.backbone.convolutions, SmallConvolutions):
        model.backbone.convolutions.begin_with(autoencoder)
    return model, inverse_dynamics_stages.loss_on_pixels(run)


STAGES: Mapping[str, Callable[[Run], tuple[nn.Module, LossFunction]]] = {
    "autoencoder": _autoencoder,
    "inverse_dynamics": _inverse_dynamics,
    "denoiser": _denoiser,
    "inverse_dynamics_on_dreams": _inverse_dynamics_on_dreams,
    "scene_decoder": _scene_decoder,
    "pixel_inverse_dynamics": _pixel_inverse_dynamics,
    "value": _value,
    "preference": _preference,
    "instruction": _instruction,
}
"""Each needs those before it."""

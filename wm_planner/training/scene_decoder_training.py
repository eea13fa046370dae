"""Training of the scene decoder: the frames that follow an observed one, painted over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from wm_planner.open_loop.pictures import moving
from wm_planner.training.autoencoder_training import LATENT_NOISE
from wm_planner.training.calibration import DREAMED
from wm_planner.training.colour_rarity import colour_bin, colour_rarity
from wm_planner.training.devices import device_of, half_precision, put
from wm_planner.training.inverse_dynamics_stages import made_latents
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.training.source import EpisodeSource
from wm_planner.training.windows import Windows

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run

FRAMES = 4  # decoded over one scene in a step: its features are computed once for all of them


@dataclass(frozen=True)
class DreamedPieces:
    """Dreams beside the recorded frames that they ought to show.

    Attributes:
        frames: Numbers of the frames of N pieces, shape (N, H + 1); the first was observed.
        latents: Shape (N, H + 1, tokens, channels).
    """

    frames: np.ndarray
    latents: np.ndarray


def loss_of_run(run: Run) -> LossFunction:
    """The loss on a run's recorded windows, and on dreams of its denoiser where asked for."""
    s = run.settings
    windows = Windows(run.source, run.latents, run.vocabulary, s.context_frames, s.horizon)
    share = s.scene_decoder_dreamed_share
    dreamed = DreamedPieces(*made_latents(run, DREAMED)) if share else None
    return scene_decoder_loss(
        run.source, windows, s.context_frames, s.scene_decoder_batch, dreamed, share
    )


def scene_decoder_loss(
    source: EpisodeSource, windows: Windows, context_frames: int, batch: int,
    dreamed: DreamedPieces | None = None, dreamed_share: float = 0.0,
) -> LossFunction:  # fmt: skip
    """Make the loss.

    The scene is the newest context frame of a window and the target one of the H frames that
    follow, or the scene itself. Latents are what the target is encoded as, with noise as in the
    autoencoder's training; of some windows what was dreamed in the target's place. Pixels count by
    how rare their colour is, but less than where nothing else tells a cube from a table.

    Args:
        source: the data.
        windows: draw recorded windows of it.
        context_frames: T of these.
        batch: scenes a step; `FRAMES` of the frames of each are decoded.
        dreamed: dreams with the recorded actions given; None for none.
        dreamed_share: of the scenes: with dreams.
    """
    rarity = np.sqrt(colour_rarity(source))
    share = dreamed_share if dreamed and len(dreamed.frames) else 0.0

    def draw(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of frames (B, H + 1), the scenes first, and latents to match."""
        count = generator.binomial(batch, share)
        drawn = windows.draw(generator, batch - count)
        recorded = slice(context_frames - 1, None)
        frames, latents = drawn.frame[:, recorded], drawn.latents[:, recorded]
        if dreamed and count:
            some = generator.integers(len(dreamed.frames), size=count)
            frames = np.concatenate([frames, dreamed.frames[some]])
            latents = np.concatenate([latents, dreamed.latents[some].astype(np.float32)])
        return frames, latents

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, SceneDecoder)
        frames, latents = draw(generator)
        length = frames.shape[1]
        chosen = generator.permuted(np.tile(np.arange(length), (batch, 1)), axis=1)[:, :FRAMES]
        row = np.repeat(np.arange(batch), chosen.shape[1])
        scene = source.frames[frames[:, 0]]
        image = source.frames[frames[row, chosen.ravel()]]
        device = device_of(model)
        weight = put(rarity[colour_bin(image)], device)
        latent = put(latents[row, chosen.ravel()], device)
        spread = LATENT_NOISE * torch.rand(len(row), 1, 1, device=device)
        latent = latent + spread * torch.randn_like(latent)
        with half_precision(device):
            seen = put(latents[:, 0], device)
            out = model(latent, put(scene, device), seen, put(row, device))
        target = (put(image, device).permute(0, 3, 1, 2).float() - 110) / 64
        squared = (out.float() - target).square().mean(1)
        error, moves = squared.detach() * (64 / 255) ** 2, put(moving(image, scene[row]), device)

        def decibels(mask: torch.Tensor) -> torch.Tensor:
            return -10 * torch.log10((error * mask).sum() / mask.sum().clamp(min=1) + 1e-9)

        return 10 * (squared * weight).sum() / weight.sum(), {
            "psnr": -10 * torch.log10(error.mean((1, 2)) + 1e-9).mean(),
            "psnr_moving": decibels(moves),
            "psnr_still": decibels(~moves),
        }

    return loss

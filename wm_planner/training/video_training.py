"""Fine-tuning of a causal video backbone on latent clips and the actions that led through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wm_planner.settings import setting
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.video_backbone import VideoBackbone

MOTION_BUCKET, AUGMENTATION = 127.0, 0.02  # what diffusers' pipeline asks the backbone for


@dataclass(frozen=True)
class VideoTrainingSettings:
    """Noise and dropout of fine-tuning."""

    context_frames: int = setting(1, minimum=1, maximum=16, help="observed frames, nearly clean")
    fps: float = setting(5.0, unit="Hz", minimum=1.0, maximum=60.0, help="of the clips")
    frame_dropout: float = setting(0.15, minimum=0.0, maximum=1.0, help="actions left out, each")
    clip_dropout: float = setting(0.4, minimum=0.0, maximum=1.0, help="clips with no action at all")
    shared_level: float = setting(
        0.7, minimum=0.0, maximum=1.0, help="clips whose frames are all equally noisy"
    )
    log_sigma_mean: float = setting(0.0, minimum=-5.0, maximum=5.0, help="of the noise's deviation")
    log_sigma_std: float = setting(1.4, minimum=0.0, maximum=5.0, help="of the noise's deviation")
    context_sigma: float = setting(0.02, minimum=1e-3, maximum=1.0, help="noise of context frames")


@dataclass(frozen=True, eq=False)
class Clips:
    """A batch of latent videos.

    Attributes:
        latents: Shape (N, F, C, h, w), scaled as the backbone's noise expects them.
        image: Shape (N, C, h, w), latent of the first frame as the backbone is shown it.
        context: Shape (N, S, width), embedding of the first frame or of a text.
        actions: Shape (N, F, 20), what leads to each frame; those of context frames are not used.
    """

    latents: Tensor
    image: Tensor
    context: Tensor
    actions: Tensor


def video_loss(
    draw: Callable[[np.random.Generator], Clips], settings: VideoTrainingSettings | None = None
) -> LossFunction:
    """Return a loss for `loop.train`; `draw` makes batches from a generator."""
    s = settings or VideoTrainingSettings()

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, VideoBackbone)
        clips = draw(generator)
        count, frames = clips.latents.shape[:2]
        spread = torch.randn(count, frames)
        shared = torch.rand(count, 1) < s.shared_level
        spread = torch.where(shared, spread[:, -1:], spread)
        sigma = torch.exp(s.log_sigma_mean + s.log_sigma_std * spread).to(clips.latents)
        given = (torch.rand(count, frames) >= s.frame_dropout).to(clips.latents)
        given = given * (torch.rand(count, 1) >= s.clip_dropout).to(clips.latents)
        error, weighted = clip_error(model, clips, sigma, given, torch.randn_like(clips.latents), s)
        return weighted.mean(), {"error": error.detach().mean()}

    return loss


def clip_error(
    model: VideoBackbone,
    clips: Clips,
    sigma: Tensor,
    given: Tensor,
    noise: Tensor,
    settings: VideoTrainingSettings,
) -> tuple[Tensor, Tensor]:
    """Return squared errors of the frames to be dreamed, plain and weighted as EDM does.

    Args:
        model: the backbone.
        clips: what it shall see.
        sigma: Shape (N, F); that of context frames is replaced.
        given: Shape (N, F), which actions it is told, 0 or 1; none for context frames.
        noise: Shape (N, F, C, h, w), of deviation 1.
        settings: of the run.

    Returns:
        Two of shape (N, F - context frames).
    """
    past = settings.context_frames
    context_sigma = torch.full_like(sigma[:, :past], settings.context_sigma)
    sigma = torch.cat([context_sigma, sigma[:, past:]], 1)
    given = torch.cat([torch.zeros_like(given[:, :past]), given[:, past:]], 1)
    noisy = clips.latents + sigma[..., None, None, None] * noise
    ids = time_ids(clips, settings)
    clean = model(noisy, sigma, clips.image, clips.context, ids, clips.actions, given)
    error = (clean - clips.latents)[:, past:].square().mean((2, 3, 4))
    weight = 1 + sigma[:, past:] ** -2  # (sigma^2 + data^2) / (sigma data)^2 with data = 1
    return error, error * weight


def time_ids(clips: Clips, settings: VideoTrainingSettings) -> Tensor:
    """Return what Stable Video Diffusion wants to know besides, shape (N, 3)."""
    ids = clips.latents.new_tensor([settings.fps - 1, MOTION_BUCKET, AUGMENTATION])
    return ids.expand(len(clips.latents), -1)


@torch.no_grad()
def action_shuffle_ratio(
    model: VideoBackbone,
    clips: Clips,
    generator: torch.Generator,
    sigma: float = 5.0,
    settings: VideoTrainingSettings | None = None,
) -> float:
    """Return the error under other clips' actions over that under the right ones.

    1 means that actions do not matter to the model, however good its videos look.

    Args:
        model: the backbone.
        clips: held out, at least two with different actions.
        generator: of the noise.
        sigma: deviation of the noise; much of it, or the answer can be seen in the noisy frames.
        settings: of the run, None for the defaults.
    """
    noise = torch.randn(clips.latents.shape, generator=generator).to(clips.latents)
    levels = clips.latents.new_full(clips.latents.shape[:2], sigma)
    given = torch.ones_like(levels)
    other = Clips(clips.latents, clips.image, clips.context, clips.actions.roll(1, 0))
    s = settings or VideoTrainingSettings()
    right, wrong = (
        clip_error(model, each, levels, given, noise, s)[0].mean() for each in (clips, other)
    )
    return float(wrong / right)

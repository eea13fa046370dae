"""Dreams of a causal video backbone: from noise to frames that follow from actions."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from wm_planner.training.networks.video_backbone import VideoBackbone
from wm_planner.training.video_training import Clips, VideoTrainingSettings, time_ids

SMALLEST_SIGMA, CURVATURE = 0.002, 7.0


@torch.no_grad()
def dream_video(
    model: VideoBackbone,
    clips: Clips,
    noise: Tensor,
    steps: int = 10,
    guidance: float = 1.0,
    largest_sigma: float = 80.0,
    settings: VideoTrainingSettings | None = None,
) -> Tensor:
    """Return latents whose context frames are those of the clips and whose others are dreamed.

    Euler steps down the noise levels of Karras et al. (2022), equation 5. Actions are guided as
    Vid2World does: away from the dream in which none is given, which training knows from dropout.

    Args:
        model: the backbone.
        clips: context frames, picture, embedding and the actions to dream; their other frames are
            not looked at.
        noise: Shape (N, F, C, h, w), of deviation 1.
        steps: evaluations, twice that many with guidance.
        guidance: 1 for none, above it actions are followed more than they were in training.
        largest_sigma: deviation of the noise that dreams start from.
        settings: of the training run, None for the defaults.

    Returns:
        Shape (N, F, C, h, w).
    """
    s = settings or VideoTrainingSettings()
    past = s.context_frames
    ramp = torch.linspace(1, 0, steps)
    root = SMALLEST_SIGMA ** (1 / CURVATURE)
    levels = (root + ramp * (largest_sigma ** (1 / CURVATURE) - root)) ** CURVATURE
    sigmas = [*levels.tolist(), 0.0]
    ids = time_ids(clips, s)
    context = clips.latents[:, :past] + s.context_sigma * noise[:, :past]
    future = sigmas[0] * noise[:, past:]

    def clean(sigma: float, given: float) -> Tensor:
        level = torch.full(noise.shape[:2], sigma).to(noise)
        level[:, :past] = s.context_sigma
        told = torch.full_like(level, given)
        told[:, :past] = 0
        noisy = torch.cat([context, future], 1)
        video = model(noisy, level, clips.image, clips.context, ids, clips.actions, told)
        return video[:, past:]

    for now, after in itertools.pairwise(sigmas):
        answer = clean(now, 1.0)
        if guidance != 1.0:
            free = clean(now, 0.0)
            answer = free + guidance * (answer - free)
        future = answer + (future - answer) * (after / now)
    return torch.cat([clips.latents[:, :past], future], 1)

"""Training of the instruction head: frames that show what was asked for, against all others."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from wm_planner.errors import DataError
from wm_planner.training.devices import device_of, half_precision, put
from wm_planner.training.judging import HOLD, Outcomes
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.instruction import Instruction
from wm_planner.training.source import EpisodeSource
from wm_planner.training.vocabulary import multi_hot

EARLY = 0.8  # of the way to success: frames before show what was asked for not yet
NOISE = 0.2  # largest deviation of the noise on latents, which are of unit variance
LARGEST_LOG_SCALE = math.log(100.0)


def instruction_loss(
    source: EpisodeSource, latents: np.ndarray, vocabulary: tuple[str, ...], batch: int
) -> LossFunction:
    """InfoNCE (van den Oord et al. 2018) between last frames of successes and their words.

    Other words of the same task count as right, too. Earlier frames of successes and frames of
    failures are shown no words of their own: they are what words are told apart from, without
    which the head would only learn what a scene is for.

    Args:
        source: the episodes.
        latents: Shape (F, tokens, channels), of their frames.
        vocabulary: the words.
        batch: last frames a step, and as many others.
    """
    known = Outcomes(source)
    if not len(known.succeeded):
        raise DataError("instruction: no episode succeeded at what it was asked for")
    words = multi_hot(source.instruction, vocabulary)
    task = np.unique(np.asarray(source.task), return_inverse=True)[1]

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, Instruction)
        episode = known.succeeded[generator.integers(len(known.succeeded), size=batch)]
        held = generator.integers(HOLD + 1, size=batch)
        last = known.first[episode] + np.maximum(known.length[episode] - 1 - held, 0)
        frame = np.concatenate([last, _others(known, generator, batch)])
        device = device_of(model)
        latent = put(latents[frame].astype(np.float32), device)
        latent = latent + NOISE * torch.rand(len(latent), 1, 1, device=device) * torch.randn_like(
            latent
        )
        with half_precision(device):
            shown = model.embed_frames(latent)
            asked = model.embed_words(put(words[episode], device))
        scale = model.log_scale.clamp(max=LARGEST_LOG_SCALE).exp()
        alike = scale * asked.float() @ shown.float().T  # (words, frames)
        same = put(task[episode][:, None] == task[episode][None], device)
        right = torch.cat([same, torch.zeros_like(same)], 1)
        by_words = _surprise(alike, right)
        by_frames = _surprise(alike[:, :batch].T, same)
        found = right.gather(1, alike.detach().argmax(1, keepdim=True)).float().mean()
        return by_words + by_frames, {"found": found}

    return loss


def _others(known: Outcomes, generator: np.random.Generator, count: int) -> np.ndarray:
    """Frames that show nobody's success: early ones, and a quarter of failures."""
    failures = count // 4 if len(known.failed) else 0
    episode = known.succeeded[generator.integers(len(known.succeeded), size=count - failures)]
    early = known.first[episode] + (
        EARLY * generator.random(len(episode)) * known.done[episode]
    ).astype(int)
    if not failures:
        return np.asarray(early)
    failed = known.failed[generator.integers(len(known.failed), size=failures)]
    return np.concatenate([early, known.first[failed] + generator.integers(known.length[failed])])


def _surprise(alike: Tensor, right: Tensor) -> Tensor:
    """Minus the log of the probability of any right answer, averaged over rows."""
    among = alike.masked_fill(~right, -torch.inf)
    return (alike.logsumexp(1) - among.logsumexp(1)).mean()

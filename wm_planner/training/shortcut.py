"""Shortcut training: long sampling steps that land where two steps of half the length do.

One Step Diffusion via Shortcut Models (Frans et al. 2024, equation 5): the network is told how far
the sampler will step. For an infinitely small step it learns from data; for step 2d its target is
what it says itself for two steps d.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wm_planner.training.devices import put
from wm_planner.training.networks.denoiser import Denoiser

SHARE = 0.25  # of the windows that learn from the network itself, as in the paper
FINEST = 8  # sampling steps: strides are 1/8, 1/4 and 1/2, and what is learned twice that


@torch.no_grad()
def two_half_steps(
    model: Denoiser, context: Tensor, clean: Tensor, noise: Tensor, signal: Tensor,
    conditions: tuple[Tensor, ...], optional: tuple[Tensor | None, ...],
    generator: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Let a share of the windows learn a long step from two short ones.

    Args:
        model: the network in training; it is asked, not changed.
        context: Shape (B, T, tokens, channels).
        clean, noise: Shape (B, H, tokens, channels), the true future and what is mixed into it.
        signal: Shape (B, H), levels of the windows that learn from data.
        conditions: the network's other inputs, B rows each.
        optional: those that come after the stride, or None for what the network is not told.
        generator: draws steps and levels.

    Returns:
        Levels and strides (B, H) to ask the network about, and the clean latents
        (B, H, tokens, channels) that it should answer.
    """
    batch = len(clean)
    rows = slice(0, max(1, round(SHARE * batch)))
    count = len(signal[rows])
    half = 0.5 ** generator.integers(1, FINEST.bit_length(), size=count)  # 1/2 to 1/FINEST
    start = np.floor(generator.random(count) / (2 * half)) * 2 * half  # room for both steps
    step, level = (
        put(x.astype(np.float32), clean.device)[:, None].expand(-1, clean.shape[1])
        for x in (half, start)
    )
    signal, stride, wanted = signal.clone(), torch.zeros_like(signal), clean.clone()
    signal[rows], stride[rows] = level, 2 * step
    own = tuple(condition[rows] for condition in conditions)
    told = tuple(None if condition is None else condition[rows] for condition in optional)
    begin = mixed(clean[rows], noise[rows], level)
    here, at = begin, level
    for _ in range(2):
        answer = model(context[rows], here, at, *own, step, *told).float()
        here = here + (answer - here) * (step / (1 - at))[..., None, None]
        at = at + step
    velocity = (here - begin) / (2 * step)[..., None, None]
    wanted[rows] = begin + (1 - level)[..., None, None] * velocity
    return signal, stride, wanted


def mixed(clean: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """Noisy latents at levels (B, H): ``signal * clean + (1 - signal) * noise``."""
    level = signal[..., None, None]
    return level * clean + (1 - level) * noise

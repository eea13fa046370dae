"""Dreams of a denoiser that is not exported yet."""

from __future__ import annotations

import numpy as np
import torch

from wm_planner import actions
from wm_planner.bundle import SamplerSpec
from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.world_models.sampler import denoise, signal_levels


@torch.no_grad()
def dream(
    denoiser: Denoiser, context: np.ndarray, words: np.ndarray, targets: np.ndarray, given: float,
    outcome: int, steps: int, generator: torch.Generator, hands: HandRenderer | None,
) -> np.ndarray:  # fmt: skip
    """Dream on from observed frames.

    Args:
        denoiser: in evaluation mode.
        context: Shape (N, T, tokens, channels).
        words: Shape (N, V), of the instruction; zeros for none.
        targets: Shape (N, H, 20), packed hand targets.
        given: 1 to follow the targets, 0 to dream without.
        outcome: to dream of.
        steps: evaluations of the denoiser.
        generator: of the noise.
        hands: draws targets, for a denoiser that is shown them.

    Returns:
        Shape (N, H, tokens, channels).
    """
    count, s = len(context), denoiser.settings
    noise = torch.randn((count, s.horizon, s.tokens, s.channels), generator=generator).numpy()
    drawn = None
    if hands:
        drawn = torch.from_numpy(hands.render(actions.unpack(targets))) / 255
    conditions = (
        torch.from_numpy(words), torch.zeros(count, s.tokens, s.channels), torch.zeros(count, 1),
        torch.from_numpy(targets), torch.full((count, s.horizon), given),
        torch.full((count,), outcome),
    )  # fmt: skip

    def predict_clean(noisy: np.ndarray, signal: float, stride: float) -> np.ndarray:
        level, far = (torch.full((count, s.horizon), value) for value in (signal, stride))
        clean: torch.Tensor = denoiser(
            torch.from_numpy(context), torch.from_numpy(noisy), level, *conditions, far, drawn
        )
        return clean.numpy()

    return denoise(predict_clean, noise, signal_levels(SamplerSpec(steps=steps)))

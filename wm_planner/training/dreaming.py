"""Dreams and pictures of networks that are not exported yet."""

from __future__ import annotations

import numpy as np
import torch

from wm_planner import actions
from wm_planner.bundle import SamplerSpec
from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.world_models.sampler import denoise, signal_levels


@torch.no_grad()
def dream(
    denoiser: Denoiser, context: np.ndarray, words: np.ndarray, targets: np.ndarray, given: float,
    outcome: int, steps: int, generator: torch.Generator, hands: HandRenderer | None,
    gripper_width: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Dream from observed frames.

    Args:
        denoiser: in evaluation mode.
        context: Shape (B, T, tokens, channels), latents, newest last.
        words: Shape (B, V), of the instructions; zeros for none.
        targets: Shape (B, H, 20), packed hand targets.
        given: 1 where the dreams are to follow the targets, 0 where they are free.
        outcome: one of `windows.UNKNOWN`, `SUCCESS` and `FAILURE`.
        steps: of the sampler.
        generator: of the noise.
        hands: draws targets, for a denoiser that is shown them.
        gripper_width: Shape (B, T, 2), m, measured on the observed frames.

    Returns:
        Latents of the H next frames, shape (B, H, tokens, channels).
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
            torch.from_numpy(context),
            torch.from_numpy(noisy),
            level,
            *conditions,
            far,
            drawn,
            torch.from_numpy(gripper_width),
        )
        return clean.numpy()

    return denoise(predict_clean, noise, signal_levels(SamplerSpec(steps=steps)))


@torch.no_grad()
def decode(autoencoder: Autoencoder, latents: np.ndarray) -> np.ndarray:
    """Decode latents (B, F, tokens, channels) into pictures (B * F, h, w, 3) uint8."""
    flat = torch.from_numpy(latents.reshape(-1, *latents.shape[2:]))
    return np.concatenate([autoencoder.decode_image(part).numpy() for part in flat.split(256)])


@torch.no_grad()
def decode_over(
    decoder: SceneDecoder, latents: np.ndarray, scenes: np.ndarray, scene_latents: np.ndarray
) -> np.ndarray:
    """Decode windows over the newest frames observed before them.

    Args:
        decoder: in evaluation mode.
        latents: Shape (B, F, tokens, channels), float32.
        scenes: Shape (B, h, w, 3), uint8.
        scene_latents: What these are encoded as, shape (B, tokens, channels), float32.

    Returns:
        Shape (B * F, h, w, 3), uint8.
    """
    row = torch.zeros(latents.shape[1], dtype=torch.int64)
    parts = []
    for window in zip(latents, scenes[:, None], scene_latents[:, None], strict=True):
        latent, scene, scene_latent = (torch.from_numpy(part) for part in window)
        parts.append(decoder.decode_image(latent, scene, scene_latent, row).numpy())
    return np.concatenate(parts)

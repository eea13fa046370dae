"""Windows as the denoiser is given them in training: noisy, and not told everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wm_planner.training.devices import put
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.shortcut import mixed
from wm_planner.training.windows import UNKNOWN, Windows

WIDTH_NOISE_M = 0.001  # of measured gripper widths, as sensors have it


@dataclass(frozen=True, eq=False)
class NoisyBatch:
    """B windows.

    Attributes:
        newest: Shape (B, 1, tokens, channels), the newest observed latent, without its own noise.
        context, signal, conditions, hands, gripper_width: what `Denoiser` is given; the conditions
            are its words, goal, goal_given, targets, targets_given and outcome.
        clean: Shape (B, H, tokens, channels), the future.
        noise: of that shape.
        targets: Shape (B, H, 20), the hand targets, also where the denoiser is not given them.
        missed: Shape (B,), bool, of near misses with hand targets given; see `WindowBatch`.
    """

    newest: Tensor
    context: Tensor
    clean: Tensor
    noise: Tensor
    signal: Tensor
    conditions: tuple[Tensor, ...]
    hands: Tensor | None
    gripper_width: Tensor | None
    targets: Tensor
    missed: Tensor

    @property
    def noisy(self) -> Tensor:
        """The future as the denoiser sees it."""
        return mixed(self.clean, self.noise, self.signal)


@dataclass(frozen=True)
class NoisyWindows:
    """Draws them, with every condition dropped now and then, so that each can be left out later.

    Some windows are given hand targets, some of whose frames are not told theirs. The others dream
    from the instruction, the goal image, both or neither.

    Attributes:
        windows: the data.
        batch: windows a step.
        scene_noise: largest deviation of noise that a window's frames share.
        context_noise: largest deviation of noise on the observed frames, each with its own.
        own_levels: share of windows in which each future frame has a noise level of its own
            (Diffusion Forcing); in the others all have the same, as the sampler begins.
        frame_dropout: share of frames, in windows with hand targets, that are not told theirs.
        window_dropout: share of windows that are given none.
    """

    windows: Windows
    batch: int
    scene_noise: float = 0.05
    context_noise: float = 0.05
    own_levels: float = 0.3
    frame_dropout: float = 0.15
    window_dropout: float = 0.55

    def draw(
        self, model: Denoiser, generator: np.random.Generator, device: torch.device
    ) -> NoisyBatch:
        """A batch for a denoiser."""
        batch = self.batch
        drawn = self.windows.draw(generator, batch)
        past = model.settings.context_frames

        def chance(probability: np.ndarray | float) -> np.ndarray:
            return generator.random(batch) < probability

        acted = chance(1 - self.window_dropout)
        given = acted[:, None] & (generator.random(drawn.targets.shape[:2]) >= self.frame_dropout)
        keep_goal = drawn.goal_good & chance(np.where(acted, 0.05, 0.25))
        drop_words = chance(np.where(acted, 0.5, np.where(keep_goal, 0.5, 0.12)))
        words = np.where(drop_words[:, None], 0.0, drawn.words).astype(np.float32)
        outcome = np.where(chance(np.where(acted, 0.6, 0.15)), UNKNOWN, drawn.outcome)

        latents = put(drawn.latents, device)
        # One offset for the whole window: a slightly different scene, the same motion.
        uneven = torch.rand(2, batch, 1, 1, 1, device=device)
        latents = latents + self.scene_noise * uneven[0] * torch.randn_like(latents[:, :1])
        clean, context = latents[:, past:], latents[:, :past]
        context = context + self.context_noise * uneven[1] * torch.randn_like(context)
        signal = torch.sigmoid(1.2 * torch.randn(batch, clean.shape[1], device=device) - 0.3)
        shared = torch.rand(batch, 1, device=device) < 1 - self.own_levels
        signal = torch.where(shared, signal[:, -1:], signal)
        noise = torch.randn_like(clean)
        targets = put(drawn.targets, device)
        conditions = (
            put(words, device), put(drawn.goal, device), put(keep_goal, device).float()[:, None],
            targets, put(given, device).float(), put(outcome, device),
        )  # fmt: skip
        hands = None if drawn.hands is None else put(drawn.hands, device) / 255
        widths = None
        if model.settings.gripper_widths:
            widths = put(drawn.gripper_width, device)
            widths = widths + WIDTH_NOISE_M * torch.randn_like(widths)
        newest = latents[:, past - 1 : past]
        return NoisyBatch(
            newest, context, clean, noise, signal, conditions, hands, widths, targets,
            # Where hands are not told where to go, a miss is no example.
            put(drawn.missed & acted, device),
        )  # fmt: skip


def weight(signal: Tensor) -> Tensor:
    """Of a frame's squared error: about the signal-to-noise ratio, capped."""
    return 1 / ((1 - signal).square() + 0.1)

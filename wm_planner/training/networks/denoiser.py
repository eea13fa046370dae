"""The world model's network: a causal transformer that denoises future latent frames.

Diffusion Forcing (Chen et al. 2024): every frame carries its own noise level, so the same weights
roll out freely, towards an instruction or a goal image, or under given hand targets. A frame's
tokens attend to each other and to all earlier frames.

What the layers put out becomes the clean latent in one of four ways (`PREDICTIONS`). Most of the
scene stands still, so by default it is a residual over the newest observed frame, optionally under
a soft mask (Dexterous World Models use a static scene the same way).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


#: How the network's output o becomes the clean latent, from the newest observed frame f, the noisy
#: latent x and its signal level s: f + o; f + sigmoid(m) o with a mask m per cell of the grid; o;
#: x + (1 - s) o, where o is the velocity of rectified flow (Liu et al. 2022).
PREDICTIONS = ("residual", "masked_residual", "x", "v")


@dataclass(frozen=True)
class DenoiserSettings:
    """Sizes of the denoiser. Latents (tokens, channels) are packed into ``groups`` wide tokens.

    Attributes:
        prediction: one of `PREDICTIONS`.
        shortcut: whether it is told how far the sampler will step (Frans et al. 2024).
    """

    tokens: int = 12
    channels: int = 32
    groups: int = 4
    rows: int = 3
    context_frames: int = 2
    horizon: int = 12
    width: int = 256
    layers: int = 6
    heads: int = 4
    vocabulary: int = 32
    target: int = 20
    prediction: str = "residual"
    shortcut: bool = False


class _Block(nn.Module):
    """Pre-norm attention and MLP, modulated by the frame's condition (AdaLN, Peebles 2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        widen = nn.Linear(64, 6 * width)
        self.modulation = nn.Sequential(nn.Linear(width, 64), widen)
        for layer in (widen, self.out, self.down):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor, groups: int) -> Tensor:
        batch, length, width = x.shape
        # One modulation per frame, repeated over the frame's tokens.
        m = self.modulation(condition).repeat_interleave(groups, 1).chunk(6, -1)
        qkv = self.qkv(self.norm(x) * (1 + m[0]) + m[1])
        q, k, v = (
            part.reshape(batch, length, self.heads, -1).transpose(1, 2) for part in qkv.chunk(3, -1)
        )
        # Spelt out: on a CPU the fused kernel's backward pass is slow for sequences this short.
        score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        weight = score.float().masked_fill(~mask, -torch.inf).softmax(-1)
        y = weight.to(v.dtype) @ v
        x = x + (1 + m[2]) * self.out(y.transpose(1, 2).reshape(batch, length, width))
        hidden = functional.gelu(self.up(self.norm(x) * (1 + m[3]) + m[4]), approximate="tanh")
        return x + (1 + m[5]) * self.down(hidden)


class Denoiser(nn.Module):
    """Clean future latents from noisy ones; see the module's docstring."""

    mask: Tensor
    frequency: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, settings: DenoiserSettings, target_mean: Tensor, target_std: Tensor) -> None:
        """Build it.

        Args:
            settings: sizes.
            target_mean, target_std: Shape (20,), of packed hand targets in the training set.
        """
        super().__init__()
        s = self.settings = settings
        frames, token = s.context_frames + s.horizon, s.tokens * s.channels // s.groups
        self.inputs = nn.Linear(2 * token, s.width)
        masked = s.prediction == "masked_residual"
        self.outputs = nn.Linear(s.width, token + masked * s.rows)
        self.place = nn.Parameter(torch.randn(frames, s.groups, s.width) * 0.02)
        self.frame_place = nn.Parameter(torch.randn(frames, s.width) * 0.02)
        self.blocks = nn.ModuleList(_Block(s.width, s.heads) for _ in range(s.layers))
        self.final_norm = nn.LayerNorm(s.width)
        self.signal = _mlp(64, s.width)
        self.stride = _mlp(64, s.width) if s.shortcut else None
        self.words = nn.Linear(s.vocabulary, s.width)
        self.no_words = nn.Parameter(torch.randn(s.width) * 0.02)
        self.goal = nn.Linear(s.tokens * s.channels, s.width)
        self.action = _mlp(s.target, s.width)
        self.no_action = nn.Parameter(torch.randn(s.width) * 0.02)
        self.outcome = nn.Embedding(3, s.width)
        self.mix = nn.Linear(s.width, s.width)
        nn.init.zeros_(self.outputs.weight)
        if self.stride is not None:
            nn.init.zeros_(cast(Tensor, self.stride[-1].weight))
            nn.init.zeros_(cast(Tensor, self.stride[-1].bias))
        frame = torch.arange(frames).repeat_interleave(s.groups)
        self.register_buffer("mask", frame[:, None] >= frame[None, :])
        self.register_buffer("frequency", torch.exp(torch.arange(32) * (-math.log(1000.0) / 32)))
        self.register_buffer("target_mean", target_mean)
        self.register_buffer("target_std", target_std)

    def forward(
        self, context: Tensor, noisy: Tensor, signal: Tensor, words: Tensor, goal: Tensor,
        goal_given: Tensor, targets: Tensor, targets_given: Tensor, outcome: Tensor,
        stride: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Predict the clean future.

        Args:
            context: Shape (K, T, tokens, channels), observed latents, newest last.
            noisy: Shape (K, H, tokens, channels), ``signal * clean + (1 - signal) * noise``.
            signal: Shape (K, H), 0 is pure noise and 1 is clean.
            words: Shape (K, V), the instruction's known words; all zero means no instruction.
            goal: Shape (K, tokens, channels), latent of the goal image.
            goal_given: Shape (K, 1), 0 or 1.
            targets: Shape (K, H, 20), packed hand targets due at each future frame.
            targets_given: Shape (K, H), 0 or 1.
            outcome: Shape (K,), 0 unknown, 1 success, 2 failure.
            stride: Shape (K, H), by how much the signal will rise in the sampler's next step, which
                the prediction is made to be right for; None or 0 for an infinitely small one. Only
                with `DenoiserSettings.shortcut`.

        Returns:
            Shape (K, H, tokens, channels).
        """
        s = self.settings
        past = s.context_frames
        frames = _pack(torch.cat([context, noisy], 1), s)  # (K, T + H, groups, token)
        newest = frames[:, past - 1 : past]
        level = torch.cat([torch.ones_like(signal[:, :past]), signal], 1)
        count = words.sum(-1, keepdim=True)
        asked = (count > 0).to(words.dtype)
        whole = asked * self.words(words / count.clamp(min=1)) + (1 - asked) * self.no_words
        whole = whole + goal_given * self.goal(goal.flatten(1)) + self.outcome(outcome)
        scaled = (targets - self.target_mean) / self.target_std
        given = targets_given[..., None]
        action = given * self.action(scaled) + (1 - given) * self.no_action
        action = torch.cat([torch.zeros_like(action[:, :past]), action], 1)
        condition = self.signal(self._waves(level)) + action + whole[:, None]
        if self.stride is not None and stride is not None:
            far = torch.cat([torch.zeros_like(stride[:, :1]).expand(-1, past), stride], 1)
            condition = condition + self.stride(self._waves(far))
        condition = functional.silu(self.mix(condition + self.frame_place))
        x = self.inputs(torch.cat([frames, newest.expand_as(frames)], -1)) + self.place
        x = x.flatten(1, 2)
        for block in self.blocks:
            x = block(x, condition, self.mask, s.groups)
        x = self.outputs(self.final_norm(x)).unflatten(1, (-1, s.groups))[:, past:].float()
        if s.prediction == "masked_residual":
            x, mask = x.split([frames.shape[-1], s.rows], -1)
            x = x * torch.sigmoid(mask).repeat_interleave(s.channels, -1)
        if s.prediction.endswith("residual"):
            x = x + newest
        elif s.prediction == "v":
            x = frames[:, past:] + (1 - signal[..., None, None]) * x
        return _unpack(x, s)

    def _waves(self, level: Tensor) -> Tensor:
        angle = level[..., None] * 1000 * self.frequency
        return torch.cat([angle.sin(), angle.cos()], -1)


def _pack(latents: Tensor, s: DenoiserSettings) -> Tensor:
    """(K, F, tokens, channels) to (K, F, groups, token): each group is one column of the grid."""
    grid = latents.unflatten(2, (s.rows, s.groups)).transpose(2, 3)
    return grid.flatten(3)


def _unpack(packed: Tensor, s: DenoiserSettings) -> Tensor:
    grid = packed.unflatten(3, (s.rows, s.channels)).transpose(2, 3)
    return grid.flatten(2, 3)


def _mlp(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))

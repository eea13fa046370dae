"""The world model's network: a causal transformer that denoises future latent frames.

Diffusion Forcing (Chen et al. 2024): every frame carries its own noise level, so the same weights
roll out freely, towards an instruction or a goal image, or under given hand targets. A frame's
tokens attend to each other and to all earlier frames.

What the layers put out becomes the clean latent in one of four ways (`PREDICTIONS` of
`denoiser_settings`). Most of the scene stands still, so by default it is a residual over the newest
observed frame, optionally under a soft mask (Dexterous World Models use a static scene the same
way).
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_planner.actions import WIDTH
from wm_planner.training.networks.denoiser_block import Block
from wm_planner.training.networks.denoiser_settings import CELL, DenoiserSettings
from wm_planner.training.networks.latent_packing import pack, unpack


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
        frames, token = s.context_frames + s.horizon, s.cells * s.channels
        self.inputs = nn.Linear(2 * token, s.width)
        masked = s.prediction == "masked_residual"
        self.outputs = nn.Linear(s.width, token + masked * s.cells)
        self.place = nn.Parameter(torch.randn(frames, s.groups, s.width) * 0.02)
        self.frame_place = nn.Parameter(torch.randn(frames, s.width) * 0.02)
        self.blocks = nn.ModuleList(Block(s.width, s.heads) for _ in range(s.layers))
        self.final_norm = nn.LayerNorm(s.width)
        self.signal = _mlp(64, s.width)
        self.stride = _mlp(64, s.width) if s.shortcut else None
        self.words = nn.Linear(s.vocabulary, s.width)
        self.no_words = nn.Parameter(torch.randn(s.width) * 0.02)
        self.goal = nn.Linear(s.tokens * s.channels, s.width)
        self.action = _mlp(s.target, s.width) if s.actions != "hands" else None
        drawn = 2 * s.cells * CELL * CELL
        self.hands = nn.Linear(drawn, s.width) if s.actions != "vectors" else None
        self.no_action = nn.Parameter(torch.randn(s.width) * 0.02)
        self.outcome = nn.Embedding(3, s.width)
        self.grippers = _mlp(2 * s.context_frames, s.width) if s.gripper_widths else None
        self.mix = nn.Linear(s.width, s.width)
        nn.init.zeros_(self.outputs.weight)
        for later in (self.stride, self.grippers):
            if later is not None:
                nn.init.zeros_(cast(Tensor, later[-1].weight))
                nn.init.zeros_(cast(Tensor, later[-1].bias))
        if self.hands is not None:
            nn.init.zeros_(self.hands.weight)
            nn.init.zeros_(self.hands.bias)
        frame = torch.arange(frames).repeat_interleave(s.groups)
        self.register_buffer("mask", frame[:, None] >= frame[None, :])
        self.register_buffer("frequency", torch.exp(torch.arange(32) * (-math.log(1000.0) / 32)))
        self.register_buffer("target_mean", target_mean)
        self.register_buffer("target_std", target_std)

    def forward(
        self, context: Tensor, noisy: Tensor, signal: Tensor, words: Tensor, goal: Tensor,
        goal_given: Tensor, targets: Tensor, targets_given: Tensor, outcome: Tensor,
        stride: Tensor | None = None, hands: Tensor | None = None,
        gripper_width: Tensor | None = None,
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
            hands: Shape (K, H, *hands_shape), 0 to 1, the targets drawn; looked at where they are
                given and unless `DenoiserSettings.actions` is "vectors".
            gripper_width: Shape (K, T, 2), m, measured on the observed frames, left and right; only
                with `DenoiserSettings.gripper_widths`.

        Returns:
            Shape (K, H, tokens, channels).
        """
        past = self.settings.context_frames
        level = functional.pad(signal, (past, 0), value=1.0)
        action = functional.pad(self._action(targets, targets_given), (0, 0, past, 0))
        if stride is not None:
            stride = functional.pad(stride, (past, 0))
        drawn = self._drawn(hands, targets_given)
        if drawn is not None:
            drawn = functional.pad(drawn, (0, 0, 0, 0, past, 0))
        clean, _ = self._run(
            torch.cat([context, noisy], 1), context[:, -1:], level, stride, action, drawn,
            self._whole(words, goal, goal_given, outcome, gripper_width),
            self.place, self.frame_place, None,
        )  # fmt: skip
        return clean[:, past:]

    def advance(
        self, latents: Tensor, newest: Tensor, signal: Tensor, words: Tensor, goal: Tensor,
        goal_given: Tensor, targets: Tensor, targets_given: Tensor, outcome: Tensor, first: Tensor,
        memory: Tensor, stride: Tensor | None = None, hands: Tensor | None = None,
        gripper_width: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Predict F frames that follow others, which are known by their keys and values alone.

        Causality makes a frame's keys and values final once it is: the observed frames are looked
        at once for all candidates and steps of the sampler, and a future can be dreamed frame by
        frame. `forward` computes the same for a whole window.

        Args:
            latents: Shape (K, F, tokens, channels), noisy, or clean where the signal is 1.
            newest: Shape (K, tokens, channels), the newest observed latent.
            signal, targets, targets_given, stride, hands: as in `forward`, for these F frames;
                targets of observed frames are not looked at.
            words, goal, goal_given, outcome, gripper_width: as in `forward`.
            first: Shape (K,), place of the first of these frames in the window, 0 to T + H - 1.
            memory: Shape (K, layers, 2, heads, P, d), of the P / groups frames before them.

        Returns:
            Clean latents (K, F, tokens, channels), and what these frames add to the memory, shape
            (K, layers, 2, heads, F groups, d).
        """
        place = first[:, None] + torch.arange(latents.shape[1], device=first.device)
        future = (place >= self.settings.context_frames)[..., None]
        drawn = self._drawn(hands, targets_given)
        clean, own = self._run(
            latents, newest[:, None], signal, stride,
            self._action(targets, targets_given) * future,
            None if drawn is None else drawn * future[..., None],
            self._whole(words, goal, goal_given, outcome, gripper_width),
            self.place[place], self.frame_place[place], memory,
        )  # fmt: skip
        return clean, torch.stack([torch.stack(pair, 1) for pair in own], 1).float()

    def empty_memory(self, candidates: int) -> Tensor:
        """What precedes the first frame."""
        s = self.settings
        return torch.zeros(candidates, s.layers, 2, s.heads, 0, s.width // s.heads)

    def _run(
        self, latents: Tensor, newest: Tensor, signal: Tensor, stride: Tensor | None,
        action: Tensor, drawn: Tensor | None, whole: Tensor, place: Tensor, frame_place: Tensor,
        memory: Tensor | None,
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:  # fmt: skip
        s = self.settings
        frames, still = pack(latents, s), pack(newest, s)  # (K, F, groups, token), F = 1
        condition = self.signal(self._waves(signal)) + action + whole[:, None]
        if self.stride is not None:
            far = torch.zeros_like(signal) if stride is None else stride
            condition = condition + self.stride(self._waves(far))
        condition = functional.silu(self.mix(condition + frame_place))
        x = self.inputs(torch.cat([frames, still.expand_as(frames)], -1)) + place
        if drawn is not None:
            x = x + drawn
        x = x.flatten(1, 2)
        mask = self.mask[: x.shape[1], : x.shape[1]]
        if memory is not None:
            before = mask.new_ones(x.shape[1], memory.shape[4])
            mask = torch.cat([before, mask], 1)
        own = []
        for layer, block in enumerate(self.blocks):
            x, kept = block(
                x, condition, mask, s.groups, None if memory is None else memory[:, layer]
            )
            own.append(kept)
        x = self.outputs(self.final_norm(x)).unflatten(1, (-1, s.groups)).float()
        if s.prediction == "masked_residual":
            x, soft = x.split([frames.shape[-1], s.cells], -1)
            x = x * torch.sigmoid(soft).repeat_interleave(s.channels, -1)
        if s.prediction.endswith("residual"):
            x = x + still
        elif s.prediction == "v":
            x = frames + (1 - signal[..., None, None]) * x
        return unpack(x, s), own

    def _whole(
        self, words: Tensor, goal: Tensor, goal_given: Tensor, outcome: Tensor,
        gripper_width: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """What holds for all frames of a window, (K, width)."""
        count = words.sum(-1, keepdim=True)
        asked = (count > 0).to(words.dtype)
        whole = asked * self.words(words / count.clamp(min=1)) + (1 - asked) * self.no_words
        whole = whole + goal_given * self.goal(goal.flatten(1)) + self.outcome(outcome)
        if self.grippers is None or gripper_width is None:
            return whole
        own = [WIDTH, self.settings.target // 2 + WIDTH]
        scaled = (gripper_width - self.target_mean[own]) / self.target_std[own]
        return whole + self.grippers(scaled.flatten(1))

    def _action(self, targets: Tensor, targets_given: Tensor) -> Tensor:
        """Each frame's hand targets, (K, F, width)."""
        given = targets_given[..., None]
        absent = (1 - given) * self.no_action
        if self.action is None:
            return absent
        return given * self.action((targets - self.target_mean) / self.target_std) + absent

    def _drawn(self, hands: Tensor | None, targets_given: Tensor) -> Tensor | None:
        """Each token's part of the drawn hands, (K, F, groups, width)."""
        if self.hands is None or hands is None:
            return None
        rows, columns = (cells * CELL for cells in self.settings.block)
        blocks = hands.unflatten(4, (-1, columns)).unflatten(3, (-1, rows))
        packed = blocks.permute(0, 1, 3, 5, 2, 4, 6).flatten(4).flatten(2, 3)
        return targets_given[..., None, None] * self.hands(packed)

    def _waves(self, level: Tensor) -> Tensor:
        angle = level[..., None] * 1000 * self.frequency
        return torch.cat([angle.sin(), angle.cos()], -1)


def _mlp(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))

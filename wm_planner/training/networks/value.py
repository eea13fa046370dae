"""The value network: how near a latent frame is to the instruction's success."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Value(nn.Module):
    """A perceptron on the latent and the instruction's words.

    Its target is ``discount ** steps_to_success`` on frames of successful episodes under their own
    instruction, and 0 under any other instruction and in failed episodes.
    """

    def __init__(self, tokens: int, channels: int, vocabulary: int, width: int = 384) -> None:
        super().__init__()
        self.words = nn.Linear(vocabulary, 96)
        self.layers = nn.Sequential(
            nn.Linear(tokens * channels + 96, width), nn.GELU(),
            nn.Linear(width, width), nn.GELU(),
            nn.Linear(width, 1),
        )  # fmt: skip

    def logit(self, latent: Tensor, words: Tensor) -> Tensor:
        """Latents (N, tokens, channels) and words (N, V) to logits (N,)."""
        asked = self.words(words / words.sum(-1, keepdim=True).clamp(min=1))
        return self.layers(torch.cat([latent.flatten(1), asked], -1)).squeeze(-1)

    def forward(self, latent: Tensor, words: Tensor) -> Tensor:
        """The same as `logit`, squashed to 0..1."""
        return torch.sigmoid(self.logit(latent, words))

"""The preference network: which of two futures a judge would rather see."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Preference(nn.Module):
    """A perceptron on a future's last frames and the instruction's words.

    Bradley and Terry (1952): future a is preferred to b with probability
    ``sigmoid(score(a) - score(b))``. Scores are log odds; only differences between scores under
    the same words mean anything.
    """

    def __init__(
        self, tokens: int, channels: int, frames: int, vocabulary: int, width: int = 384
    ) -> None:
        super().__init__()
        self.frames = frames
        self.words = nn.Linear(vocabulary, 96)
        self.layers = nn.Sequential(
            nn.Linear(frames * tokens * channels + 96, width), nn.GELU(),
            nn.Linear(width, width), nn.GELU(),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, latents: Tensor, words: Tensor) -> Tensor:
        """Latents (N, frames, tokens, channels), newest last, and words (N, V) to scores (N,)."""
        asked = self.words(words / words.sum(-1, keepdim=True).clamp(min=1))
        return self.layers(torch.cat([latents.flatten(1), asked], -1)).squeeze(-1)

"""The instruction network: one space for frames and for what was asked."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Instruction(nn.Module):
    """Two towers whose outputs point the same way where a frame shows what the words ask for.

    As CLIP (Radford et al. 2021), with the words of the vocabulary in place of a text encoder.
    """

    def __init__(
        self, tokens: int, channels: int, vocabulary: int, width: int = 384, size: int = 64
    ) -> None:
        super().__init__()
        self.words = nn.Linear(vocabulary, 96)
        self.text_head = nn.Sequential(nn.GELU(), nn.Linear(96, size))
        self.frame = nn.Sequential(
            nn.Linear(tokens * channels, width), nn.GELU(),
            nn.Linear(width, width), nn.GELU(),
            nn.Linear(width, size),
        )  # fmt: skip
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def embed_frames(self, latent: Tensor) -> Tensor:
        """Latents (N, tokens, channels) to unit vectors (N, size)."""
        return functional.normalize(self.frame(latent.flatten(1)), dim=-1)

    def embed_words(self, words: Tensor) -> Tensor:
        """Words (N, V) to unit vectors (N, size)."""
        asked = self.words(words / words.sum(-1, keepdim=True).clamp(min=1))
        return functional.normalize(self.text_head(asked), dim=-1)

    def forward(self, latent: Tensor, words: Tensor) -> Tensor:
        """Cosine of the angle between each frame and its words, (N,), -1 to 1."""
        return (self.embed_frames(latent) * self.embed_words(words)).sum(-1)

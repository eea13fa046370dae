"""One layer of the denoiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
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

    def forward(
        self, x: Tensor, condition: Tensor, mask: Tensor, groups: int, memory: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Frames to frames, and the keys and values (K, heads, F groups, d) that they leave."""
        batch, length, width = x.shape
        # One modulation per frame, repeated over the frame's tokens.
        m = self.modulation(condition).repeat_interleave(groups, 1).chunk(6, -1)
        qkv = self.qkv(self.norm(x) * (1 + m[0]) + m[1])
        q, k, v = (
            part.reshape(batch, length, self.heads, -1).transpose(1, 2) for part in qkv.chunk(3, -1)
        )
        own = k, v
        if memory is not None:
            before = memory.to(k.dtype)
            k, v = torch.cat([before[:, 0], k], 2), torch.cat([before[:, 1], v], 2)
        # Spelt out: on a CPU the fused kernel's backward pass is slow for sequences this short.
        score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        weight = score.float().masked_fill(~mask, -torch.inf).softmax(-1)
        y = weight.to(v.dtype) @ v
        x = x + (1 + m[2]) * self.out(y.transpose(1, 2).reshape(batch, length, width))
        hidden = functional.gelu(self.up(self.norm(x) * (1 + m[3]) + m[4]), approximate="tanh")
        return x + (1 + m[5]) * self.down(hidden), own

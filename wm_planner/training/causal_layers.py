"""Layers over time that see no future, and the kernels they get from ones that did.

Extrapolative causal conversion (Vid2World, Huang et al. 2025) keeps what a temporal kernel has
learned by putting the linear extrapolation of the present in the place of each future frame:

    x[t + k]  ->  (k + 1) x[t] - k x[t - 1]

so that a kernel [w0, w1, w2] over (t - 1, t, t + 1) becomes [0, w0 - w2, w1 + 2 w2] over
(t - 2, t - 1, t). On signals that are linear in time nothing changes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_planner.errors import ConfigurationError


class CausalConv1d(nn.Conv1d):
    """Convolution over (N, C, T) whose kernel ends at the present; see `CausalConv3d`."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(_with_past(input, self.kernel_size[0] - 1))


class CausalConv3d(nn.Conv3d):
    """Convolution over (N, C, T, h, w) whose kernel ends at the present.

    Before the first frame the first frame is taken to have stood still. With zeros there, the
    extrapolation would take the appearance of the picture for motion, and double it.
    """

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(_with_past(input, self.kernel_size[0] - 1))


class FrameGroupNorm(nn.GroupNorm):
    """Group norm that treats every frame of (N, C, T, h, w) by itself; others as usual."""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 5:
            return super().forward(input)
        frames = input.transpose(1, 2)  # (N, T, C, h, w)
        return super().forward(frames.flatten(0, 1)).view(frames.shape).transpose(1, 2)


class CausalAttentionProcessor:
    """Attention of a diffusers `Attention` module, masked where it attends to its own sequence."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend along axis 1 of (N, T, C); cross-attention is left unmasked."""
        own = encoder_hidden_states is None
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (
            project(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2)  # (N, heads, T, C / heads)
            for project, x in ((attn.to_q, hidden_states), (attn.to_k, source), (attn.to_v, source))
        )
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=own, scale=attn.scale)
        y = y.transpose(1, 2).flatten(2)
        for layer in attn.to_out:
            y = layer(y)
        return y


def causal_kernel(kernel: Tensor, axis: int = 2) -> Tensor:
    """Return the kernel over (t - 2r, ..., t) that extrapolates what the given one looks up.

    Args:
        kernel: any shape, with 2r + 1 taps over (t - r, ..., t + r) along `axis`.
        axis: of time; 2 in the weights of torch's convolutions.

    Returns:
        The same shape; its first r taps are zero and free to be learned.
    """
    taps = kernel.shape[axis]
    if taps % 2 == 0:
        raise ConfigurationError(f"temporal kernel has {taps} taps, expected an odd number")
    radius = taps // 2
    weights = kernel.detach().movedim(axis, 0).double()
    result = torch.zeros_like(weights)
    result[radius:] = weights[: radius + 1]
    for ahead in range(1, radius + 1):
        result[-1] += (ahead + 1) * weights[radius + ahead]
        result[-2] -= ahead * weights[radius + ahead]
    return result.to(kernel.dtype).movedim(0, axis).contiguous()


def _with_past(x: Tensor, frames: int) -> Tensor:
    return torch.cat([x[:, :, :1].expand(-1, -1, frames, *x.shape[3:]), x], 2)

"""Makes a pretrained video network causal without throwing its temporal weights away.

Video generators see a clip as a whole; a world model must not see the future. Convolutions over
time get kernels that extrapolate instead of looking ahead (`causal_layers.py`), self-attention over
time gets a causal mask, and group norms that take their statistics over all frames take them per
frame, which is the same where the video stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wm_planner.errors import ConfigurationError
from wm_planner.training.causal_layers import (
    CausalAttentionProcessor,
    CausalConv1d,
    CausalConv3d,
    FrameGroupNorm,
    causal_kernel,
)

#: Classes of diffusers whose attention runs along time.
TEMPORAL_BLOCKS = (
    "TemporalBasicTransformerBlock",  # Stable Video Diffusion
    "TransformerTemporalModel",  # ModelScope text-to-video, I2VGen-XL
    "AnimateDiffTransformer3D",
    "I2VGenXLTransformerTemporalEncoder",
)


@dataclass(frozen=True)
class Conversion:
    """Names of the submodules that were converted, by kind."""

    convolutions: tuple[str, ...]
    attentions: tuple[str, ...]
    norms: tuple[str, ...]


def causal_convolution(
    convolution: nn.Conv1d | nn.Conv3d, extrapolate: bool = True, name: str = "convolution"
) -> CausalConv1d | CausalConv3d:
    """Return the causal form of a convolution whose first kernel axis is time.

    Args:
        convolution: odd kernel along time, centred, stride and dilation 1 there.
        extrapolate: False keeps the weights, for loading ones that were converted before.
        name: how errors name it.
    """
    taps, padding = convolution.kernel_size[0], convolution.padding
    stride, dilation = convolution.stride[0], convolution.dilation[0]
    centred = padding == "same" or (not isinstance(padding, str) and padding[0] == taps // 2)
    if stride != 1 or dilation != 1 or not centred or convolution.padding_mode != "zeros":
        raise ConfigurationError(
            f"{name}: cannot be made causal: got stride {stride}, dilation {dilation}, padding "
            f"{padding!r} of {convolution.padding_mode} for {taps} taps in time, "
            f"expected 1, 1 and {taps // 2} of zeros"
        )
    if isinstance(padding, str):
        padding = tuple(size // 2 for size in convolution.kernel_size)
    kind = CausalConv1d if isinstance(convolution, nn.Conv1d) else CausalConv3d
    causal = kind(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        stride=convolution.stride,  # type: ignore[arg-type]
        padding=(0, *padding[1:]),  # type: ignore[arg-type]
        dilation=convolution.dilation,  # type: ignore[arg-type]
        groups=convolution.groups,
        bias=convolution.bias is not None,
        device="meta",  # the parameters are put in below
    )
    weight = causal_kernel(convolution.weight) if extrapolate else convolution.weight.detach()
    causal.weight = nn.Parameter(weight, convolution.weight.requires_grad)
    causal.bias = convolution.bias
    return causal.train(convolution.training)


def make_causal(network: nn.Module, extrapolate: bool = True) -> Conversion:
    """Convert all temporal convolutions, attention and norms inside a network, in place.

    `Conv1d` and `Conv3d` with more than one tap on their first axis are taken for temporal, as are
    attentions inside `TEMPORAL_BLOCKS`. Names and shapes in the state dict stay. Other networks may
    mix frames in ways that are not known here: measure with `first_leak`.

    Args:
        network: of diffusers or like it, videos inside as (N, C, T, h, w).
        extrapolate: False for networks whose weights were converted before.
    """
    modules = dict(network.named_modules())
    temporal = [n for n, m in modules.items() if type(m).__name__ in TEMPORAL_BLOCKS]
    convolutions, attentions, norms = [], [], []
    for name, module in modules.items():
        replacement: nn.Module
        if type(module) in (nn.Conv1d, nn.Conv3d) and module.kernel_size[0] > 1:  # type: ignore[index, operator]
            replacement = causal_convolution(module, extrapolate, name)  # type: ignore[arg-type]
            convolutions.append(name)
        elif type(module) is nn.GroupNorm:
            replacement = _per_frame(module)
            norms.append(name)
        elif type(module).__name__ == "Attention" and any(
            name.startswith(f"{block}.") for block in temporal
        ):
            _mask(module, name)
            attentions.append(name)
            continue
        else:
            continue
        if not name:
            raise ConfigurationError("a single layer cannot be converted in place: wrap it")
        parent, _, leaf = name.rpartition(".")
        modules[parent]._modules[leaf] = replacement
    return Conversion(tuple(convolutions), tuple(attentions), tuple(norms))


@torch.no_grad()
def first_leak(
    network: Callable[[Tensor], Tensor], frames: Tensor, axis: int = 1, tolerance: float = 1e-5
) -> str | None:
    """Return where a change of one frame reaches an earlier one, or None for a causal network.

    Args:
        network: from frames to frames, deterministic.
        frames: something to try it on, time along `axis`; random numbers will do.
        axis: of time, in input and output.
        tolerance: change of an output that counts, relative to the largest output.
    """
    before = network(frames)
    scale = before.abs().max()
    for changed in range(1, frames.shape[axis]):
        other = frames.clone()
        other.select(axis, changed).add_(torch.randn_like(other.select(axis, changed)))
        difference = (network(other) - before).abs().movedim(axis, 0).flatten(1).amax(1) / scale
        for earlier in range(changed):
            if difference[earlier] > tolerance:
                return (
                    f"frame {changed} changes output {earlier} by {difference[earlier]:.1e} "
                    "of the largest output"
                )
    return None


def _per_frame(norm: nn.GroupNorm) -> FrameGroupNorm:
    """Return a norm with the same parameters."""
    result = FrameGroupNorm(
        norm.num_groups, norm.num_channels, norm.eps, norm.affine, device="meta"
    )
    result.weight, result.bias = norm.weight, norm.bias
    return result.train(norm.training)


def _mask(attention: Any, name: str) -> None:
    extras = ("group_norm", "spatial_norm", "norm_q", "norm_k", "add_k_proj")
    used = [extra for extra in extras if getattr(attention, extra, None) is not None]
    if used or attention.residual_connection or attention.rescale_output_factor != 1.0:
        raise ConfigurationError(
            f"{name}: cannot be made causal: attention with "
            f"{', '.join(used) or 'a residual connection or rescaling'} is not known here"
        )
    attention.set_processor(CausalAttentionProcessor())

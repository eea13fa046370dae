"""Weights of a model whose latents have other channels, as a model with more or fewer begins.

The channels that were there come first and are read as before; further ones count for nothing until
they are trained. So a latent that is too small can be enlarged without training all that was
trained on it anew. Of fewer channels the first are kept; fine ones are the last.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

LATENTS = {
    "decoder.0.weight", "pose_head.0.weight", "object_head.0.weight", "inputs.weight",
    "outputs.weight", "outputs.bias", "goal.weight", "trunk.0.weight", "layers.0.weight",
    "frame.0.weight",
}  # fmt: skip
"""Weights with a row or a column for each number of one latent or more, which may be followed by
others for something else."""


def with_other_channels(
    weights: Mapping[str, Tensor], own: Mapping[str, Tensor], before: int, now: int
) -> dict[str, Tensor]:
    """Make room for further channels, or leave some out, in all that reads or makes latents.

    Args:
        weights: of the earlier model, by name.
        own: of the freshly built one. What makes further channels is taken from there.
        before, now: channels of a latent token of the one and of the other.

    Returns:
        All weights; those that have nothing to do with latents as they were.
    """
    grown, kept = dict(weights), min(before, now)
    for name in LATENTS & weights.keys() & own.keys():
        old, fresh = weights[name], own[name]
        wider = [n for n in range(old.dim()) if old.shape[n] != fresh.shape[n]]
        if len(wider) != 1:
            continue
        axis = wider[0]
        tokens, left = divmod(fresh.shape[axis] - old.shape[axis], now - before)
        others = old.shape[axis] - tokens * before
        if left or tokens <= 0 or others < 0:
            continue
        # Channels are the innermost of what is flattened: tokens, frames and so on stand before.
        latents, rest = old.split([tokens * before, others], axis)
        room = fresh.narrow(axis, 0, tokens * now).clone().unflatten(axis, (-1, now))
        if axis:
            room.zero_()
        known = latents.unflatten(axis, (-1, before)).narrow(axis + 1, 0, kept)
        room.narrow(axis + 1, 0, kept).copy_(known)
        grown[name] = torch.cat([room.flatten(axis, axis + 1), rest], axis)
    return grown

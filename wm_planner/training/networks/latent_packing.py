"""Latents as the denoiser's tokens: blocks of the latent's grid, each in one vector."""

from __future__ import annotations

from torch import Tensor

from wm_planner.training.networks.denoiser_settings import DenoiserSettings


def pack(latents: Tensor, s: DenoiserSettings) -> Tensor:
    """(K, F, tokens, channels) to (K, F, groups, token): each group is one block of the grid."""
    rows, columns = s.block
    grid = latents.unflatten(2, (s.rows // rows, rows, s.columns // columns, columns))
    return grid.transpose(3, 4).flatten(4).flatten(2, 3)


def unpack(packed: Tensor, s: DenoiserSettings) -> Tensor:
    """The inverse of `pack`."""
    rows, columns = s.block
    blocks = packed.unflatten(2, (s.rows // rows, s.columns // columns))
    return blocks.unflatten(4, (rows, columns, s.channels)).transpose(3, 4).flatten(2, 5)

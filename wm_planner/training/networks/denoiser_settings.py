"""What the denoiser can be told: its sizes, and what goes in and comes out."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: How the network's output o becomes the clean latent, from the newest observed frame f, the noisy
#: latent x and its signal level s: f + o; f + sigmoid(m) o with a mask m per cell of the grid; o;
#: x + (1 - s) o, where o is the velocity of rectified flow (Liu et al. 2022).
PREDICTIONS = ("residual", "masked_residual", "x", "v")

#: How hand targets are shown to the network: as vectors, as the hands drawn where they will be
#: (Dexterous World Models), or both.
ACTIONS = ("vectors", "hands", "both")

#: What one of its tokens holds of a frame: all of it, a column of the latent's grid, or a cell.
FRAME, COLUMN, CELL_ALONE = PACKINGS = ("frame", "column", "cell")
CELL = 8  # pixels a side of the drawn hands for each cell of the latent's grid


@dataclass(frozen=True)
class DenoiserSettings:
    """Sizes of the denoiser. Latents (tokens, channels) are packed into wider tokens.

    Attributes:
        tokens, channels: of a latent, whose tokens are the cells of a grid, row by row.
        rows: of that grid.
        packing: one of `PACKINGS`.
        prediction: one of `PREDICTIONS`.
        shortcut: whether it is told how far the sampler will step (Frans et al. 2024).
        actions: one of `ACTIONS`.
        gripper_widths: whether it is told how far the grippers were open on the frames seen.
    """

    tokens: int = 12
    channels: int = 32
    rows: int = 3
    packing: str = COLUMN
    context_frames: int = 2
    horizon: int = 12
    width: int = 256
    layers: int = 6
    heads: int = 4
    vocabulary: int = 32
    target: int = 20
    prediction: str = "residual"
    shortcut: bool = False
    actions: str = "vectors"
    gripper_widths: bool = False

    @property
    def columns(self) -> int:
        """Of the latent's grid."""
        return self.tokens // self.rows

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of the grid that one packed token holds."""
        return {
            FRAME: (self.rows, self.columns), COLUMN: (self.rows, 1), CELL_ALONE: (1, 1)
        }[self.packing]  # fmt: skip

    @property
    def cells(self) -> int:
        """Of the grid, in one packed token."""
        return math.prod(self.block)

    @property
    def groups(self) -> int:
        """Packed tokens of a frame."""
        return self.tokens // self.cells

    @property
    def hands_shape(self) -> tuple[int, int, int]:
        """Of one frame's drawn hands: left and right, rows, columns, px."""
        return 2, self.rows * CELL, self.columns * CELL

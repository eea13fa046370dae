"""A decoder that paints a frame over the newest one that was observed.

Most of a picture does not move, and the observed frame shows that exactly, while a latent of a few
hundred numbers cannot. So the picture is the scene under a soft mask, and paint where the mask is
open (the residual and mask of Dexterous World Models, here on pixels).

What moves is seen best by decoding two latents with the same layers, the frame's and the scene's
own: what the autoencoder cannot draw is missing from both, so where both pictures agree the scene
is right. The layers begin as the autoencoder's decoder.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_planner.training.networks.autoencoder import Autoencoder, Place, Residual

CELL = 4  # px; pictures are handled as cells of 4x4 px with 48 numbers, colour by colour
FINEST, FINER = 32, 48  # channels of the scene's features at 1/4 and 1/8
FINE = 48  # channels of what is painted at 1/4
COLOURS = 3
OPENING = 8.0  # logits of the mask for one unit of its layers
AGREEMENT, DOUBT = 3.0, -22.0  # its logit at first: where pictures agree, and by their difference


class SceneDecoder(nn.Module):
    """Latents and observed frames to pictures."""

    mean_cells: Tensor

    def __init__(self, autoencoder: Autoencoder) -> None:
        """Build it.

        Args:
            autoencoder: whose latents it decodes; the weights of its decoder are copied.
        """
        super().__init__()
        s = self.settings = autoencoder.settings
        self.rows, self.columns = s.height // 32, s.width // 32
        wide, cell = 2 * s.wide, CELL**2
        mean = functional.pixel_unshuffle(autoencoder.mean_image, CELL)
        self.register_buffer("mean_cells", mean.clone())
        self.decoder = nn.Sequential(
            nn.Conv2d(s.channels, wide, 1), Place(wide, self.rows, self.columns), Residual(wide),
            nn.Conv2d(wide, 4 * s.wide, 1), nn.PixelShuffle(2),
            Residual(s.wide), Residual(s.wide),
            nn.Conv2d(s.wide, 4 * s.narrow, 1), nn.PixelShuffle(2),
            Place(s.narrow, 4 * self.rows, 4 * self.columns), nn.ReLU(),
            Residual(s.narrow), Residual(s.narrow),
        )  # fmt: skip
        self.rough = nn.Sequential(nn.Conv2d(s.narrow, 4 * COLOURS * cell, 1), nn.PixelShuffle(2))
        self._begin_as(autoencoder.decoder)
        self.scene_finest = nn.Sequential(
            nn.Conv2d(COLOURS * cell, FINEST, 3, 1, 1), nn.ReLU(), Residual(FINEST)
        )
        self.scene_finer = nn.Sequential(
            nn.Conv2d(FINEST, FINER, 3, 2, 1), nn.ReLU(), Residual(FINER)
        )
        self.fuse_finer = nn.Conv2d(FINER, s.narrow, 1)
        self.fuse_finest = nn.Conv2d(FINEST, FINE, 1)
        self.motion = nn.Conv2d(s.narrow, s.narrow, 1, bias=False)
        self.meet = nn.Sequential(
            nn.ReLU(), Residual(s.narrow), nn.Conv2d(s.narrow, 4 * FINE, 1), nn.PixelShuffle(2)
        )
        self.compare_pixels = nn.Conv2d(COLOURS * cell, FINE, 1, bias=False)
        self.compare_drawn = nn.Conv2d(COLOURS * cell, FINE, 1, bias=False)
        self.finish = nn.Sequential(nn.ReLU(), Residual(FINE))
        self.paint = nn.Conv2d(FINE, COLOURS * cell, 1)
        self.mask = nn.Conv2d(FINE, cell, 1)
        self.agree = nn.Conv2d(1, cell, 3, 1, 1)
        for last in (self.paint, self.mask, self.agree):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(cast(Tensor, last.bias))
        nn.init.constant_(self.agree.weight[:, :, 1, 1], DOUBT / OPENING)
        nn.init.constant_(cast(Tensor, self.agree.bias), AGREEMENT / OPENING)

    def forward(self, latent: Tensor, scene: Tensor, scene_latent: Tensor, row: Tensor) -> Tensor:
        """Decode.

        Args:
            latent: Shape (N, tokens, channels).
            scene: Observed frames, shape (S, h, w, 3), uint8.
            scene_latent: What they are encoded as, shape (S, tokens, channels).
            row: Which of them each latent goes with, shape (N,), integer.

        Returns:
            Shape (N, 3, h, w), float, (value - 110) / 64.
        """
        pixels = (scene.permute(0, 3, 1, 2).to(self.mean_cells.dtype) - 110) / 64
        seen = functional.pixel_unshuffle(pixels, CELL) - self.mean_cells
        finest = self.scene_finest(seen.contiguous(memory_format=torch.channels_last))
        before = self._draw(scene_latent)
        drawn = self.rough(before).float()
        # What layers without a bias make of a scene is subtracted once, not for every row.
        finer = self.fuse_finer(self.scene_finer(finest)) - self.motion(before)
        compared = self.compare_pixels(seen) - self.compare_drawn(drawn)
        finest = self.fuse_finest(finest) + compared

        x = self._draw(latent)
        rough = self.rough(x).float()
        moves = rough - drawn[row]
        change = seen[row] - rough  # by which the scene differs from the rough picture
        x = self.meet(x + self.motion(x) + finer[row])
        compared = self.compare_drawn(rough) - self.compare_pixels(rough)
        x = self.finish(x + finest[row] + compared)
        paint = self.paint(x).float()
        logit = self.mask(x) + self.agree(moves.abs().mean(1, keepdim=True))
        mask = torch.sigmoid(OPENING * logit.float()).repeat(1, COLOURS, 1, 1)
        cells = self.mean_cells + rough + paint + mask * (change - paint)
        return functional.pixel_shuffle(cells, CELL)

    def decode_image(
        self, latent: Tensor, scene: Tensor, scene_latent: Tensor, row: Tensor
    ) -> Tensor:
        """As `forward`, but images (N, h, w, 3), uint8."""
        image = self(latent, scene, scene_latent, row) * 64 + 110
        return image.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)

    def _draw(self, latent: Tensor) -> Tensor:
        """Features of what a latent shows, shape (N, narrow, h / 8, w / 8)."""
        x = latent.transpose(1, 2).unflatten(2, (self.rows, self.columns))
        features: Tensor = self.decoder(x.contiguous(memory_format=torch.channels_last))
        return features

    @torch.no_grad()
    def _begin_as(self, decoder: nn.Sequential) -> None:
        """Copy an autoencoder's decoder; its last layer's 8x8 px become four cells."""
        its = list(decoder)
        for own, other in zip(self.decoder, its, strict=False):
            own.load_state_dict(other.state_dict())
        last, own_last = cast(nn.Conv2d, its[-2]), cast(nn.Conv2d, self.rough[0])
        for name in ("weight", "bias"):
            value = getattr(last, name)
            blocks = value.unflatten(0, (COLOURS, 2, CELL, 2, CELL)).movedim((1, 3), (3, 4))
            getattr(own_last, name).copy_(blocks.flatten(0, 4))

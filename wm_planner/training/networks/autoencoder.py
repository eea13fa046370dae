"""A small convolutional autoencoder with a spatial latent that keeps small objects visible.

The image is cut into 4x4 patches, the training set's mean image is subtracted, and three strided
convolutions bring 96x128 to a 3x4 grid of tokens. A latent that is flat loses objects behind the
hand that usually accompanies them; a spatial one does not. Batch normalisation without gain keeps
every latent channel at unit variance, the scale that the world model's noise is measured in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

NORM_EPSILON = 1e-5  # added to the latents' variance


@dataclass(frozen=True)
class AutoencoderSettings:
    """Sizes of the autoencoder; images must be divisible by 32.

    Attributes:
        channels: of a latent token.
        fine: of these, the last ones: made by a `FineEncoder`, which takes three times as long.
    """

    height: int = 96
    width: int = 128
    channels: int = 32
    fine: int = 0
    narrow: int = 64
    wide: int = 128
    objects: int = 5
    pose: int = 20


class Residual(nn.Module):
    """A convolution whose answer is added to what it was given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, 1, 1)
        self.mix = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(cast(Tensor, self.mix.bias))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(torch.relu(self.spatial(x)))


class Place(nn.Module):
    """A learned bias per position: convolutions alone do not know where they are."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, height, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias.to(x.dtype)


class Autoencoder(nn.Module):
    """Encoder, decoder, and heads that make poses and objects easy to read from the latent."""

    mean_patches: Tensor
    mean_image: Tensor

    def __init__(self, settings: AutoencoderSettings, mean_image: Tensor) -> None:
        """Build it.

        Args:
            settings: sizes.
            mean_image: Shape (height, width, 3), float 0..255.
        """
        super().__init__()
        s = self.settings = settings
        rows, columns = s.height // 32, s.width // 32
        self.tokens = rows * columns
        wider = 2 * s.wide
        patches = ((mean_image - 110) / 64).permute(2, 0, 1)[None]
        self.register_buffer("mean_patches", nn.functional.pixel_unshuffle(patches, 4))
        self.register_buffer("mean_image", patches)
        self.encoder = nn.Sequential(
            nn.Conv2d(48, s.narrow, 3, 2, 1), Place(s.narrow, 4 * rows, 4 * columns), nn.ReLU(),
            Residual(s.narrow),
            nn.Conv2d(s.narrow, s.wide, 3, 2, 1), Place(s.wide, 2 * rows, 2 * columns), nn.ReLU(),
            Residual(s.wide), Residual(s.wide),
            nn.Conv2d(s.wide, wider, 3, 2, 1), Residual(wider),
            nn.Conv2d(wider, s.channels - s.fine, 1),
        )  # fmt: skip
        self.norm = _norm(s.channels - s.fine)
        self.fine = FineEncoder(s.fine, rows, columns) if s.fine else None
        self._keeps_encoder = False
        self.decoder = nn.Sequential(
            nn.Conv2d(s.channels, wider, 1), Place(wider, rows, columns), Residual(wider),
            nn.Conv2d(wider, 4 * s.wide, 1), nn.PixelShuffle(2),
            Residual(s.wide), Residual(s.wide),
            nn.Conv2d(s.wide, 4 * s.narrow, 1), nn.PixelShuffle(2),
            Place(s.narrow, 4 * rows, 4 * columns), nn.ReLU(),
            Residual(s.narrow), Residual(s.narrow),
            nn.Conv2d(s.narrow, 192, 1), nn.PixelShuffle(8),
        )  # fmt: skip
        last = cast(nn.Conv2d, self.decoder[-2])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))
        size = s.channels * self.tokens
        self.pose_head = _head(size, s.pose)
        self.object_head = _head(size, 3 * s.objects)

    def encode(self, image: Tensor) -> Tensor:
        """Images (N, h, w, 3) uint8 to latents (N, tokens, channels)."""
        x = image.permute(0, 3, 1, 2).to(self.mean_patches.dtype)
        x = nn.functional.pixel_unshuffle((x - 110) / 64, 4) - self.mean_patches
        x = x.contiguous(memory_format=torch.channels_last)
        latent = self.norm(self.encoder(x).float())
        if self.fine is not None:
            latent = torch.cat([latent, self.fine(x)], 1)
        return latent.flatten(2).transpose(1, 2)

    def decode(self, latent: Tensor) -> Tensor:
        """Latents (N, tokens, channels) to images (N, 3, h, w), float, (value - 110) / 64."""
        rows, columns = self.settings.height // 32, self.settings.width // 32
        grid = latent.transpose(1, 2).unflatten(2, (rows, columns))
        return (
            self.decoder(grid.contiguous(memory_format=torch.channels_last)).float()
            + self.mean_image
        )

    def decode_image(self, latent: Tensor) -> Tensor:
        """Latents (N, tokens, channels) to images (N, h, w, 3), uint8."""
        image = self.decode(latent) * 64 + 110
        return image.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)

    def keep_encoder(self) -> None:
        """Train the fine channels and all that reads latents, but not the encoder beside them."""
        self._keeps_encoder = True
        self.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Autoencoder:
        """As of any module, but that a normalisation which is kept does not look at batches."""
        super().train(mode)
        if self._keeps_encoder:
            self.norm.eval()
        return self

    @torch.no_grad()
    def fold_norms(self) -> None:
        """Let the last layers of the encoders do what their normalisations do, which rest then.

        Exporters do the same; done before weights are rounded, what is rounded is what is stored.
        """
        folded = [(self.encoder, self.norm)]
        if self.fine is not None:
            folded.append((self.fine.layers, self.fine.norm))
        for layers, norm in folded:
            last = cast(nn.Conv2d, layers[-1])
            mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
            scale = 1 / torch.sqrt(variance + NORM_EPSILON)
            last.weight.mul_(scale[:, None, None, None])
            bias = cast(Tensor, last.bias)
            bias.copy_((bias - mean) * scale)
            mean.zero_()
            variance.fill_(1 - NORM_EPSILON)

    def read(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Packed hand poses (N, 20), normalised, and object positions (N, M, 3), in 0.1 m."""
        flat = latent.flatten(1)
        return self.pose_head(flat), self.object_head(flat).unflatten(1, (-1, 3))


class FineEncoder(nn.Module):
    """Further channels for the same tokens, from layers that look at 4x4 px before they stride.

    What the hands' rotation and a small object's place are told by is a pixel or two.
    """

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(48, 48, 1), Place(48, 8 * rows, 8 * columns), Residual(48), Residual(48),
            nn.Conv2d(48, 96, 3, 2, 1), Place(96, 4 * rows, 4 * columns), nn.ReLU(),
            Residual(96), Residual(96), Residual(96),
            nn.Conv2d(96, 128, 3, 2, 1), Place(128, 2 * rows, 2 * columns), nn.ReLU(),
            Residual(128), Residual(128), Residual(128),
            nn.Conv2d(128, 256, 3, 2, 1), Place(256, rows, columns), nn.ReLU(),
            Residual(256), Residual(256),
            nn.Conv2d(256, channels, 1),
        )  # fmt: skip
        self.norm = _norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Patches (N, 48, h / 4, w / 4) to channels (N, channels, rows, columns)."""
        normed: Tensor = self.norm(self.layers(x).float())
        return normed


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, NORM_EPSILON, affine=False, momentum=0.02)


def _head(inputs: int, outputs: int) -> nn.Sequential:
    # Recordings of the real world know no objects: initialising nothing would be warned of.
    last = nn.Linear(256, outputs) if outputs else nn.utils.skip_init(nn.Linear, 256, 0)
    return nn.Sequential(nn.Linear(inputs, 256), nn.GELU(), last)

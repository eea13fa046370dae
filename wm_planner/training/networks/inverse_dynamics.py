"""The inverse dynamics network: from two latent frames to the hands' poses and command."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class InverseDynamicsSettings:
    """Sizes of the inverse dynamics network."""

    tokens: int = 12
    channels: int = 32
    width: int = 512
    layers: int = 3
    pose: int = 20


class InverseDynamics(nn.Module):
    """A perceptron on (first frame, change): absolute poses, because summed changes drift.

    It predicts the hand pose at both frames and the *command* between them. The commanded gripper
    width differs from the observed one while an object is held, and the command is what acts.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: InverseDynamicsSettings, mean: Tensor, std: Tensor) -> None:
        """Build it.

        Args:
            settings: sizes.
            mean, std: Shape (20,), of packed hand poses in the training set.
        """
        super().__init__()
        s = self.settings = settings
        size = s.tokens * s.channels
        widths = [2 * size] + [s.width] * s.layers
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.GELU()]
        self.trunk = nn.Sequential(*layers)
        self.heads = nn.Linear(s.width, 4 * s.pose)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Invert pairs of frames.

        Args:
            pair: Shape (N, 2, tokens, channels).

        Returns:
            pose at the first frame, pose at the second, command between them, each (N, 20) packed;
            and the log of the command's variance, (N, 20), in squared units of the packing.
        """
        first, second = pair[:, 0].flatten(1), pair[:, 1].flatten(1)
        out = self.heads(self.trunk(torch.cat([first, second - first], -1))).float()
        pose, following, command, log_variance = out.chunk(4, -1)
        scale, shift = self.std, self.mean
        log_variance = log_variance.clamp(-12, 4) + 2 * torch.log(scale)
        return (
            pose * scale + shift,
            following * scale + shift,
            command * scale + shift,
            log_variance,
        )

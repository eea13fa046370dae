"""Two inverse dynamics networks as one: for frames that were seen, and for dreams.

What a dream blurs, a picture shows. A network that has to read both reads pictures less well.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wm_planner.training.networks.inverse_dynamics import (
    InverseDynamics,
    InverseDynamicsSettings,
)


class InverseDynamicsApart(nn.Module):
    """Both answer; the flag that comes with each window says whose answer counts.

    Attributes:
        seen: trained on recorded frames alone.
        dreams: of the same sizes, trained on dreams as well.
    """

    def __init__(self, seen: InverseDynamics, dreams: InverseDynamics) -> None:
        """Put them together."""
        super().__init__()
        self.seen, self.dreams = seen, dreams
        self.backbone, self.flow = seen.backbone, seen.flow

    @property
    def settings(self) -> InverseDynamicsSettings:
        """Sizes of both."""
        return self.seen.settings

    def forward(
        self, frames: Tensor, dreamed: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """As `InverseDynamics.forward`."""
        seen: tuple[Tensor, ...] = self.seen(frames, dreamed, noise)
        if dreamed is not None:
            told = dreamed[:, None, None] > 0.5
            dreams = self.dreams(frames, dreamed, noise)
            seen = tuple(torch.where(told, b, a) for a, b in zip(seen, dreams, strict=True))
        pose, following, command, log_variance, correlation = seen
        return pose, following, command, log_variance, correlation


SEEN, DREAMS = "seen.", "dreams."
"""What the names of their weights begin with."""

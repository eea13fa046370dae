"""A head that draws what may be: conditional flow matching (Lipman et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class FlowHead(nn.Module):
    """Carries noise to samples of a vector of unit scale, given features.

    On the straight path x_t = (1 - t) noise + t sample the velocity is sample - noise; the
    network learns its mean (Lipman et al. 2023, "Flow Matching for Generative Modeling",
    equation 9, without a smallest deviation), and a few Euler steps follow it.
    """

    def __init__(self, features: int, size: int, steps: int = 4, width: int = 256) -> None:
        """Build it.

        Args:
            features: size of what is known.
            size: of the samples.
            steps: Euler steps of a draw.
            width: of the hidden layers.
        """
        super().__init__()
        self.steps = steps
        self.known = nn.Linear(features, width)
        self.entry = nn.Linear(size + 2, width, bias=False)
        self.middle = nn.Linear(width, width)
        self.velocity = nn.Linear(width, size)

    def forward(self, x: Tensor, time: Tensor, known: Tensor) -> Tensor:
        """Velocity at (..., size) and times (..., 1), given `known` features (..., width)."""
        when = torch.cat([time, time.square()], -1)
        hidden = functional.gelu(self.entry(torch.cat([x, when], -1)) + known)
        velocity: Tensor = self.velocity(functional.gelu(self.middle(hidden)))
        return velocity.float()

    def draw(self, features: Tensor, noise: Tensor) -> Tensor:
        """Follow the flow.

        Args:
            features: Shape (N, P, features).
            noise: Shape (N, D, P, size), of deviation 1.

        Returns:
            D samples for each of the features, shape (N, D, P, size).
        """
        known, x = self.known(features)[:, None], noise
        for step in range(self.steps):
            time = torch.full_like(x[..., :1], step / self.steps)
            x = x + self(x, time, known) / self.steps
        return x

    def loss(self, features: Tensor, sample: Tensor) -> Tensor:
        """Squared error of the velocity at random times, shape as the sample (..., size)."""
        noise, time = torch.randn_like(sample), torch.rand_like(sample[..., :1])
        x = (1 - time) * noise + time * sample
        return (self(x, time, self.known(features)) - (sample - noise)).square()

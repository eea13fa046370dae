"""Commands read by a network that is not exported yet, as the planner would read them."""

from __future__ import annotations

import numpy as np
import torch

from wm_planner.inverse_dynamics.sliding_windows import cut_windows, lay_out, mean_said, merge
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.networks.inverse_dynamics_apart import InverseDynamicsApart

BATCH = 1024  # windows at a time
DRAWS = 16  # of a flow, as `OnnxInverseDynamicsSettings` has it


@torch.no_grad()
def read_commands(
    model: InverseDynamics | InverseDynamicsApart, frames: np.ndarray, dreamed: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the commands along sequences of frames.

    Args:
        model: in evaluation mode.
        frames: Shape (K, F, tokens, channels).
        dreamed: whether they were, but for the first.

    Returns:
        Packed targets, their variance, and the correlation of each one's error with that of the
        one before, all (K, F - 1, 20).
    """
    window, steps = model.settings.window, frames.shape[1] - 1
    windows = cut_windows(np.asarray(frames, np.float32), window)
    flat = torch.from_numpy(windows.reshape(-1, *windows.shape[2:]))
    answers = [
        model(part, torch.full((len(part),), float(dreamed)), _noise(model, len(part)))
        for part in flat.split(BATCH)
    ]
    command, log_variance, shared = (
        torch.cat([answer[i] for answer in answers]).numpy() for i in (2, 3, 4)
    )
    lead = (*windows.shape[:2], window - 1, command.shape[-1])
    packed, said = lay_out(command.reshape(lead), steps)
    variance, _ = lay_out(np.exp(log_variance.astype(np.float64)).reshape(lead), steps)
    correlation, _ = lay_out(shared.reshape(lead), steps)
    return *merge(packed, variance, said), mean_said(correlation, said)


def _noise(model: InverseDynamics | InverseDynamicsApart, count: int) -> torch.Tensor | None:
    """The same noise for all windows of a place in the batch; none for a regression."""
    if model.flow is None:
        return None
    s = model.settings
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, DRAWS, s.window - 1, s.pose, generator=generator)

"""Training of the inverse dynamics network on pairs of latents."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.source import EpisodeSource


def inverse_dynamics_loss(
    source: EpisodeSource, latents: np.ndarray, batch: int, latent_noise: float = 0.25
) -> LossFunction:
    """Regress poses and command; fit the command's variance on the side.

    Args:
        source: the data, with play and failures: what the hands do does not depend on purpose.
        latents: Shape (F, tokens, channels), of the same frames.
        batch: pairs a step.
        latent_noise: largest standard deviation of noise on the pair; dreams are not exact.
    """
    offsets = np.asarray(source.offsets)
    last = np.zeros(len(latents), bool)
    last[offsets[1:] - 1] = True
    first = np.flatnonzero(~last)
    # Between stills there is no command, but each shows where the hands are.
    still = np.repeat(np.asarray(source.kind) == "stills", np.diff(offsets))

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, InverseDynamics)
        index = first[generator.integers(len(first), size=batch)]
        pair = torch.from_numpy(
            np.stack([latents[index], latents[index + 1]], 1).astype(np.float32)
        )
        pair = pair + latent_noise * torch.rand(batch, 1, 1, 1) * torch.randn_like(pair)
        wanted = [source.hand_pose[index], source.hand_pose[index + 1], source.hand_target[index]]
        with torch.autocast("cpu", torch.bfloat16):
            *out, log_variance = model(pair)
        commanded = torch.from_numpy(~still[index])
        pose, following, command = (
            functional.smooth_l1_loss(
                (o - torch.from_numpy(w).float()) / model.std, torch.zeros_like(o),
                beta=0.1, reduction="none",
            ).mean(1)
            for o, w in zip(out, wanted, strict=True)
        )  # fmt: skip
        residual = (out[2] - torch.from_numpy(wanted[2]).float()).detach()[commanded]
        log_variance = log_variance[commanded]
        likelihood = 0.5 * (log_variance + residual.square() * torch.exp(-log_variance)).mean()
        position = [0, 1, 2, 10, 11, 12]
        figures = {
            "command_mm": float(1e3 * residual[:, position].abs().mean()),
            "likelihood": float(likelihood.detach()),
        }
        poses = pose.mean() + following.mean() + 2 * command[commanded].mean()
        return poses + 0.02 * likelihood, figures

    return loss

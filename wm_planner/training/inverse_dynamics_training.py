"""Training of the inverse dynamics network on windows of latents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_planner.training.inverse_dynamics_windows import FrameWindows, WindowDrawer
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.inverse_dynamics import InverseDynamics

POSITIONS = [0, 1, 2, 10, 11, 12]  # of the 20-D packed poses


def inverse_dynamics_loss(
    drawers: Sequence[tuple[WindowDrawer, float]], batch: int, latent_noise: float = 0.25
) -> LossFunction:
    """Regress poses and commands; fit the commands' variance, or a flow, on the side.

    Args:
        drawers: where windows come from, with play and failures: what the hands do does not
            depend on purpose; and the share of each.
        batch: windows a step.
        latent_noise: largest standard deviation of noise on a window; dreams are not exact.
    """
    shares = np.array([share for _, share in drawers])

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, InverseDynamics)
        counts = generator.multinomial(batch, shares / shares.sum())
        drawn = _joined([
            drawer.draw(generator, count)
            for (drawer, _), count in zip(drawers, counts, strict=True)
            if count
        ])  # fmt: skip
        frames = torch.from_numpy(drawn.latents)
        frames = frames + latent_noise * torch.rand(batch, 1, 1, 1) * torch.randn_like(frames)
        with torch.autocast("cpu", torch.bfloat16):
            features = model.features(frames)
            answers = model.answers(features)
        pose, following, command, log_variance, _ = answers
        wanted = torch.from_numpy(drawn.command)
        there = torch.from_numpy(drawn.there)[..., None].expand_as(wanted)
        commanded = torch.from_numpy(drawn.commanded)
        seen = torch.from_numpy(drawn.pose)
        poses = (
            distance(pose, seen[:, :-1], there, model.std)
            + distance(following, seen[:, 1:], there, model.std)
        )  # fmt: skip
        residual = (command - wanted).detach()[commanded]
        log_variance = log_variance[commanded]
        likelihood = 0.5 * (log_variance + residual.square() * torch.exp(-log_variance)).mean()
        total = poses + 2 * distance(command, wanted, commanded, model.std) + 0.02 * likelihood
        placed = (command - wanted).detach().abs()[..., POSITIONS][commanded[..., POSITIONS]]
        figures = {
            "command_mm": float(1e3 * placed.mean()),
            "likelihood": float(likelihood.detach()),
        }
        if model.flow is not None:
            with torch.autocast("cpu", torch.bfloat16):
                flow = model.flow_loss(features, wanted, answers)[commanded].mean()
            total = total + 0.1 * flow
            figures["flow"] = float(flow.detach())
        return total, figures

    return loss


def distance(got: Tensor, wanted: Tensor, counts: Tensor, scale: Tensor) -> Tensor:
    """Smooth distance of packed poses in units of their spread, over the entries that count."""
    wrong = (got - wanted) / scale
    apart = functional.smooth_l1_loss(wrong, torch.zeros_like(wrong), beta=0.1, reduction="none")
    return (apart * counts).sum() / counts.sum().clamp(min=1)


def _joined(parts: Sequence[FrameWindows]) -> FrameWindows:
    return FrameWindows(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    )

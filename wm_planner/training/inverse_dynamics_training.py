"""Training of the inverse dynamics network on windows of latents or images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_planner.training.devices import device_of, half_precision, put
from wm_planner.training.inverse_dynamics_windows import FrameWindows, WindowDrawer
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.pixel_frames import look

POSITIONS = [0, 1, 2, 10, 11, 12]  # of the 20-D packed poses
#: Largest standard deviation of noise on a window. Dreams are not exact; images vary by themselves.
LATENT_NOISE, FEATURE_NOISE = 0.25, 0.05


def inverse_dynamics_loss(
    drawers: Sequence[tuple[WindowDrawer, float]], batch: int, scene_noise: float = 0.0
) -> LossFunction:
    """Regress poses and commands; fit the commands' variance, or a flow, on the side.

    Args:
        drawers: where windows come from, with play and failures: what the hands do does not
            depend on purpose; and the share of each.
        batch: windows a step.
        scene_noise: largest deviation of noise that a window's frames share: another scene, in
            which hands do the same.
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
        device = device_of(model)
        if model.backbone is None:
            frames, noise = put(drawn.frames.astype(np.float32), device), LATENT_NOISE
        else:
            frames, noise = look(model, drawn.frames, vary=True), FEATURE_NOISE
        spread = noise * torch.rand(batch, 1, 1, 1, device=device)
        frames = frames + spread * torch.randn_like(frames)
        if scene_noise:
            spread = scene_noise * torch.rand(batch, 1, 1, 1, device=device)
            frames = frames + spread * torch.randn_like(frames[:, :1])
        with half_precision(device):
            features = model.features(frames)
            answers = model.answers(features)
        pose, following, command, log_variance, _ = answers
        wanted, seen = put(drawn.command, device), put(drawn.pose, device)
        there = put(drawn.there, device)[..., None].expand_as(wanted)
        commanded = put(drawn.commanded, device)
        poses = (
            distance(pose, seen[:, :-1], there, model.std)
            + distance(following, seen[:, 1:], there, model.std)
        )  # fmt: skip
        residual = (command - wanted).detach()
        surprise = 0.5 * (log_variance + residual.square() * torch.exp(-log_variance))
        likelihood = _mean(surprise, commanded)
        total = poses + 2 * distance(command, wanted, commanded, model.std) + 0.02 * likelihood
        missed = residual[..., POSITIONS].abs()
        figures = {
            "command_mm": 1e3 * _mean(missed, commanded[..., POSITIONS]),
            "likelihood": likelihood.detach(),
        }
        if model.flow is not None:
            with half_precision(device):
                flow = _mean(model.flow_loss(features, wanted, answers), commanded)
            total = total + 0.1 * flow
            figures["flow"] = flow.detach()
        return total, figures

    return loss


def distance(got: Tensor, wanted: Tensor, counts: Tensor, scale: Tensor) -> Tensor:
    """Smooth distance of packed poses in units of their spread, over the entries that count."""
    wrong = (got - wanted) / scale
    apart = functional.smooth_l1_loss(wrong, torch.zeros_like(wrong), beta=0.1, reduction="none")
    return _mean(apart, counts)


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of the entries that count, without looking at how many there are."""
    return (values * counts).sum() / counts.sum().clamp(min=1)


def _joined(parts: Sequence[FrameWindows]) -> FrameWindows:
    return FrameWindows(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    )

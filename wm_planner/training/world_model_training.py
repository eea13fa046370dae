"""Training of the denoiser, and of the value head on the same latents."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wm_planner.training.devices import device_of, half_precision, put
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.networks.value import Value
from wm_planner.training.noisy_windows import NoisyWindows, weight
from wm_planner.training.shortcut import mixed, two_half_steps
from wm_planner.training.source import EpisodeSource
from wm_planner.training.teacher import Teacher
from wm_planner.training.vocabulary import multi_hot

DISCOUNT = 0.9  # of the value target, per step


def denoiser_loss(
    windows: NoisyWindows, inverter: InverseDynamics, command_weight: float = 1.0,
    teacher: Teacher | None = None,
) -> LossFunction:  # fmt: skip
    """Denoise, and show commands that are right.

    Squared error in the latent space says little about a hand that is a centimetre off, which is
    what decides whether a dream can be acted on. So the dream is also inverted, and the commands
    that it shows are compared with those that were given.

    Args:
        windows: the data.
        inverter: trained on the same latents; it is not changed.
        command_weight: of the commands' error, in the inverter's normalised units.
        teacher: an earlier denoiser whose predictions are part of the target.
    """
    inverter.requires_grad_(False)

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, Denoiser)
        device = device_of(model)
        drawn = windows.draw(model, generator, device)
        wanted, signal, stride = drawn.clean, drawn.signal, None
        with half_precision(device):
            if model.settings.shortcut:
                signal, stride, wanted = two_half_steps(
                    model,
                    drawn.context,
                    drawn.clean,
                    drawn.noise,
                    signal,
                    drawn.conditions,
                    (drawn.hands, drawn.gripper_width),
                    generator,
                )
            noisy = mixed(drawn.clean, drawn.noise, signal)
            if teacher:
                wanted = teacher.mixed_in(drawn)
            out = model(
                drawn.context, noisy, signal, *drawn.conditions, stride, drawn.hands,
                drawn.gripper_width,
            )  # fmt: skip
            command = inverter.commands(torch.cat([drawn.newest, out], 1)).flatten(0, 1)
        error = (out - wanted).square().mean((2, 3))
        wrong = command - drawn.targets.flatten(0, 1)
        figures = {
            "error": error.detach().mean(),
            "command_mm": 1e3 * wrong[:, [0, 1, 2, 10, 11, 12]].detach().abs().mean(),
        }
        scaled = wrong / inverter.std
        commands = functional.smooth_l1_loss(scaled, torch.zeros_like(scaled), beta=0.1)
        return (error * weight(signal)).mean() + command_weight * commands, figures

    return loss


def value_loss(
    source: EpisodeSource, latents: np.ndarray, vocabulary: tuple[str, ...], batch: int
) -> LossFunction:
    """Regress discounted progress under the asked instruction, 0 under any other."""
    offsets = np.asarray(source.offsets)
    length = np.diff(offsets)
    episode = np.repeat(np.arange(len(length)), length)
    to_end = (offsets[1:] - 1)[episode] - np.arange(len(episode))
    # Experts hold for four steps after success: those frames all count as done.
    progress_made = np.where(
        np.asarray(source.success)[episode], DISCOUNT ** np.maximum(to_end - 4, 0), 0.0
    ).astype(np.float32)
    words = multi_hot(source.instruction, vocabulary)
    tasks = np.asarray(source.task)
    asking = [np.flatnonzero((tasks == t) & (words.sum(1) > 0)) for t in sorted(set(tasks))]
    asking = [group for group in asking if len(group)]
    usable = np.flatnonzero((np.asarray(source.kind) != "stills")[episode])

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, Value)
        frame = usable[generator.integers(len(usable), size=batch)]
        own = episode[frame]
        group = generator.integers(len(asking), size=batch)
        other = np.array([asking[g][generator.integers(len(asking[g]))] for g in group])
        asked = np.where(generator.random(batch) < 0.6, own, other)
        same = (tasks[asked] == tasks[own]) & (words[own].sum(1) > 0)
        device = device_of(model)
        target = put(np.where(same, progress_made[frame], 0.0).astype(np.float32), device)
        latent = put(latents[frame].astype(np.float32), device)
        spread = 0.2 * torch.rand(batch, 1, 1, device=device)
        latent = latent + spread * torch.randn_like(latent)
        count = put((words[asked].sum(1) > 0).astype(np.float32), device)
        with half_precision(device):
            logit = model.logit(latent, put(words[asked], device))
        wrong = functional.binary_cross_entropy_with_logits(logit.float(), target, reduction="none")
        return (wrong * count).sum() / count.sum(), {
            "error": ((torch.sigmoid(logit.detach().float()) - target).abs() * count).sum()
            / count.sum()
        }

    return loss

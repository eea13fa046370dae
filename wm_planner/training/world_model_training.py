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
from wm_planner.training.shortcut import mixed, two_half_steps
from wm_planner.training.source import EpisodeSource
from wm_planner.training.teacher import Teacher
from wm_planner.training.vocabulary import multi_hot
from wm_planner.training.windows import UNKNOWN, Windows

DISCOUNT = 0.9  # of the value target, per step
WIDTH_NOISE_M = 0.001  # of measured gripper widths, as sensors have it


def denoiser_loss(
    windows: Windows, batch: int, inverter: InverseDynamics, command_weight: float = 1.0,
    scene_noise: float = 0.05, context_noise: float = 0.05, own_levels: float = 0.3,
    frame_dropout: float = 0.15, window_dropout: float = 0.55, teacher: Teacher | None = None,
) -> LossFunction:  # fmt: skip
    """Denoise with every condition dropped now and then, so that each can be left out later.

    Some windows are given hand targets, some of whose frames are not told theirs. The others dream
    from the instruction, the goal image, both or neither.

    Squared error in the latent space says little about a hand that is a centimetre off, which is
    what decides whether a dream can be acted on. So the dream is also inverted, and the commands
    that it shows are compared with those that were given.

    Args:
        windows: the data.
        batch: windows a step.
        inverter: trained on the same latents; it is not changed.
        command_weight: of the commands' error, in the inverter's normalised units.
        scene_noise: largest deviation of noise that a window's frames share.
        context_noise: largest deviation of noise on the observed frames, each with its own.
        own_levels: share of windows in which each future frame has a noise level of its own
            (Diffusion Forcing); in the others all have the same, as the sampler begins.
        frame_dropout: share of frames, in windows with hand targets, that are not told theirs.
        window_dropout: share of windows that are given none.
        teacher: an earlier denoiser whose predictions are part of the target.
    """
    inverter.requires_grad_(False)

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, Denoiser)
        drawn, device = windows.draw(generator, batch), device_of(model)
        past = model.settings.context_frames

        def chance(probability: np.ndarray | float) -> np.ndarray:
            return generator.random(batch) < probability

        acted = chance(1 - window_dropout)
        given = acted[:, None] & (generator.random(drawn.targets.shape[:2]) >= frame_dropout)
        keep_goal = drawn.goal_good & chance(np.where(acted, 0.05, 0.25))
        drop_words = chance(np.where(acted, 0.5, np.where(keep_goal, 0.5, 0.12)))
        words = np.where(drop_words[:, None], 0.0, drawn.words).astype(np.float32)
        outcome = np.where(chance(np.where(acted, 0.6, 0.15)), UNKNOWN, drawn.outcome)

        latents = put(drawn.latents, device)
        # One offset for the whole window: a slightly different scene, the same motion.
        uneven = torch.rand(2, batch, 1, 1, 1, device=device)
        latents = latents + scene_noise * uneven[0] * torch.randn_like(latents[:, :1])
        clean, context = latents[:, past:], latents[:, :past]
        context = context + context_noise * uneven[1] * torch.randn_like(context)
        signal = torch.sigmoid(1.2 * torch.randn(batch, clean.shape[1], device=device) - 0.3)
        shared = torch.rand(batch, 1, device=device) < 1 - own_levels
        signal = torch.where(shared, signal[:, -1:], signal)
        noise = torch.randn_like(clean)
        conditions = (
            put(words, device), put(drawn.goal, device), put(keep_goal, device).float()[:, None],
            put(drawn.targets, device), put(given, device).float(), put(outcome, device),
        )  # fmt: skip
        drawn_hands = None if drawn.hands is None else put(drawn.hands, device) / 255
        widths = None
        if model.settings.gripper_widths:
            widths = put(drawn.gripper_width, device)
            widths = widths + WIDTH_NOISE_M * torch.randn_like(widths)
        wanted, stride = clean, None
        with half_precision(device):
            if model.settings.shortcut:
                signal, stride, wanted = two_half_steps(
                    model,
                    context,
                    clean,
                    noise,
                    signal,
                    conditions,
                    (drawn_hands, widths),
                    generator,
                )
            noisy = mixed(clean, noise, signal)
            if teacher:
                wanted = teacher.mixed_in(
                    clean, context, noisy, signal, conditions, drawn_hands, widths
                )
            out = model(context, noisy, signal, *conditions, stride, drawn_hands, widths)
            shown = torch.cat([latents[:, past - 1 : past], out], 1)
            command = inverter.commands(shown).flatten(0, 1)
        error = (out - wanted).square().mean((2, 3))
        weight = 1 / ((1 - signal).square() + 0.1)  # about the signal-to-noise ratio, capped
        wrong = command - put(drawn.targets, device).flatten(0, 1)
        figures = {
            "error": error.detach().mean(),
            "command_mm": 1e3 * wrong[:, [0, 1, 2, 10, 11, 12]].detach().abs().mean(),
        }
        scaled = wrong / inverter.std
        commands = functional.smooth_l1_loss(scaled, torch.zeros_like(scaled), beta=0.1)
        return (error * weight).mean() + command_weight * commands, figures

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

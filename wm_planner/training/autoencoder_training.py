"""Training of the autoencoder: reconstruct, and keep hands and small objects readable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_planner.training.colour_rarity import colour_bin, colour_rarity
from wm_planner.training.devices import device_of, half_precision, put
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.autoencoder import Autoencoder, AutoencoderSettings
from wm_planner.training.source import EpisodeSource, StackedFrames

LATENT_NOISE = 0.15  # largest standard deviation on a latent before it is decoded


def build_autoencoder(
    source: EpisodeSource, settings: AutoencoderSettings, seed: int
) -> Autoencoder:
    """A fresh autoencoder around the data set's mean image."""
    generator = np.random.default_rng([seed, 3])
    some = np.sort(
        generator.choice(len(source.frames), min(2000, len(source.frames)), replace=False)
    )
    mean = torch.from_numpy(np.median(source.frames[some][::4], axis=0).astype(np.float32))
    torch.manual_seed(seed)
    model = Autoencoder(settings, mean)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def autoencoder_loss(
    source: EpisodeSource,
    batch: int,
    latent_noise: float = LATENT_NOISE,
    object_weight: float = 4.0,
    pose_weight: float = 2.0,
    objects_from: float = 0.2,
    anywhere_share: float = 0.0,
) -> LossFunction:
    """Make the loss.

    Pixels count by how rare their colour is in the data set, so that a small red cube weighs as
    much as a large brown table; labels of objects serve only here, in training.

    Args:
        source: the data.
        batch: frames a step.
        latent_noise: largest standard deviation of noise on the latent before decoding, so that
            nearby latents look alike.
        object_weight: of the object head.
        pose_weight: of the hand pose head.
        objects_from: progress, 0 to 1, at which the object head joins; 0 where the weights can
            read objects already, which they would forget meanwhile.
        anywhere_share: of the frames: play and stills, which hold few frames in a data set but
            the hands and objects where no task takes them; the rest is drawn from all frames.
    """
    mean, std = pose_statistics(source)
    rarity = colour_rarity(source)
    draw = frame_drawer(source, batch, anywhere_share)

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, Autoencoder)
        index = draw(generator)
        image, device = source.frames[index], device_of(model)
        weight = put(rarity[colour_bin(image)], device)[:, None]
        pose = put((source.hand_pose[index] - mean) / std, device).float()
        objects = source.object_position[index]
        present = put(source.object_visible[index], device).float()
        pixels = put(image, device)
        with half_precision(device):
            latent = model.encode(pixels)
            spread = latent_noise * torch.rand(batch, 1, 1, device=device)
            noisy = latent + spread * torch.randn_like(latent)
            out = model.decode(noisy)
            read_pose, read_objects = model.read(noisy)
        target = (pixels.permute(0, 3, 1, 2).float() - 110) / 64
        squared = (out - target).square().mean(1, keepdim=True)
        weighted = (squared * weight).sum() / weight.sum()
        pose_loss = functional.smooth_l1_loss(read_pose.float(), pose, beta=0.1)
        wanted = put(objects * 10, device).float()
        wrong = functional.smooth_l1_loss(read_objects.float(), wanted, beta=0.1, reduction="none")
        object_loss = (wrong.mean(-1) * present).sum() / present.sum().clamp(min=1)
        total = (
            10 * weighted
            + pose_weight * pose_loss
            + object_weight * (progress >= objects_from) * object_loss
        )
        figures = {
            "psnr": -10 * torch.log10(squared.detach().mean() * (64 / 255) ** 2),
            "weighted": weighted.detach(),
            "pose": pose_loss.detach(),
            "object": object_loss.detach(),
        }
        return total, figures

    return loss


def pose_statistics(source: EpisodeSource) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of packed hand poses, each (20,); the spread is at least 0.02."""
    return source.hand_pose.mean(0), source.hand_pose.std(0).clip(min=0.02)


@torch.no_grad()
def encode_all(
    model: Autoencoder, frames: np.ndarray | StackedFrames, batch: int = 256
) -> np.ndarray:
    """Latents of all frames, shape (F, tokens, channels), float16."""
    out, device = [], device_of(model)
    for start in range(0, len(frames), batch):
        image = put(np.array(frames[start : start + batch]), device)
        with half_precision(device):
            latent: Tensor = model.encode(image)
        out.append(latent.float().cpu().numpy().astype(np.float16))
    return np.concatenate(out)


def frame_drawer(
    source: EpisodeSource, batch: int, anywhere_share: float
) -> Callable[[np.random.Generator], np.ndarray]:
    """Return what draws rows of frames, shape (batch,), ascending.

    Args:
        source: the data.
        batch: frames to draw.
        anywhere_share: of them, drawn from play and stills alone; the rest from all frames.
    """
    kind = np.repeat(np.asarray(source.kind), np.diff(source.offsets))
    anywhere = np.flatnonzero(np.isin(kind, ("play", "stills")))
    chosen = round(batch * anywhere_share) if len(anywhere) else 0

    def draw(generator: np.random.Generator) -> np.ndarray:
        index = generator.integers(len(source.frames), size=batch)
        if chosen:
            index[:chosen] = generator.choice(anywhere, chosen)
        return np.sort(index)

    return draw

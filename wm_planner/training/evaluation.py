"""Open-loop figures on held-out episodes: pictures, commands, and how far dreams can be steered.

A short version of `wm_planner.open_loop` for networks that are not exported yet: each figure has a
baseline beside it, copying the last frame for pictures, standing still for commands, other
episodes' actions for steering.
"""

from __future__ import annotations

import numpy as np
import torch

from wm_planner import actions
from wm_planner.open_loop.hand_errors import ERRORS
from wm_planner.open_loop.pictures import image_psnr
from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.training.autoencoder_training import encode_all
from wm_planner.training.dreaming import decode, dream
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.networks.inverse_dynamics_apart import InverseDynamicsApart
from wm_planner.training.pixel_frames import look_at_all
from wm_planner.training.reading import read_commands
from wm_planner.training.source import EpisodeSource
from wm_planner.training.windows import SUCCESS, UNKNOWN, Windows

BATCH = 32


def evaluate(
    source: EpisodeSource,
    autoencoder: Autoencoder,
    denoiser: Denoiser,
    inverse: InverseDynamics | InverseDynamicsApart,
    vocabulary: tuple[str, ...],
    denoising_steps: int,
    hands: HandRenderer | None = None,
    outcomes: bool = True,
    windows: int = 256,
    seed: int = 0,
) -> dict[str, float]:
    """Measure the models on ``windows`` windows of held-out episodes.

    Args:
        source: the episodes.
        autoencoder, denoiser, inverse: the networks.
        vocabulary: words that instructions are read by.
        denoising_steps: of the sampler.
        hands: draws targets, for a denoiser that is shown them.
        outcomes: whether the denoiser knows what success is.
        windows: how many to draw.
        seed: of windows and noise.

    Returns:
        ``psnr_*`` dB over all pixels and future frames; ``command_*_mm`` mean distance of the
        commanded hand positions; ``command_*_deg`` mean angle of the commanded rotations;
        ``action_shuffle_ratio`` latent error under other windows' targets over that under the
        right ones; ``object_probe_*_mm`` distance of the positions that the autoencoder's object
        head reads from a frame's latent, over all frames and objects.
    """
    latents = encode_all(autoencoder, source.frames)
    drawer = Windows(
        source, latents, vocabulary, denoiser.settings.context_frames, denoiser.settings.horizon
    )
    drawn = drawer.draw(np.random.default_rng(seed), windows)
    generator = torch.Generator().manual_seed(seed)
    past = denoiser.settings.context_frames
    context, future = drawn.latents[:, :past], drawn.latents[:, past:]
    targets = drawn.targets

    def dreams(words: np.ndarray, given: float, act: np.ndarray, outcome: int) -> np.ndarray:
        parts = []
        for start in range(0, windows, BATCH):
            rows = slice(start, start + BATCH)
            parts.append(
                dream(denoiser, context[rows], words[rows], act[rows], given, outcome,
                      denoising_steps, generator, hands, drawn.gripper_width[rows])
            )  # fmt: skip
        return np.concatenate(parts)

    nothing = np.zeros_like(drawn.words)
    acted = dreams(nothing, 1.0, targets, UNKNOWN)
    shuffled = dreams(nothing, 1.0, np.roll(targets, 1, axis=0), UNKNOWN)
    free = dreams(drawn.words, 0.0, targets, SUCCESS if outcomes else UNKNOWN)
    error = [float(np.square(d - future).mean()) for d in (acted, shuffled)]
    truth = decode(autoencoder, future)
    copied = decode(autoencoder, np.repeat(context[:, -1:], future.shape[1], 1))
    figures = {
        "windows": float(windows),
        "psnr_reconstruction_db": _reconstruction(autoencoder, source, latents, seed),
        "psnr_actions_given_db": float(image_psnr(decode(autoencoder, acted), truth).mean()),
        "psnr_free_dream_db": float(image_psnr(decode(autoencoder, free), truth).mean()),
        "psnr_copy_last_frame_db": float(image_psnr(copied, truth).mean()),
        "action_shuffle_ratio": error[1] / error[0],
    }
    newest = context[:, -1:]

    def shown(latents: np.ndarray, images: np.ndarray | None = None) -> np.ndarray:
        """What inverse dynamics reads: latents, or its features of images."""
        if isinstance(inverse, InverseDynamicsApart) or inverse.backbone is None:
            return latents
        images = decode(autoencoder, latents) if images is None else images
        rows = np.arange(len(images)).reshape(latents.shape[:2])
        features = look_at_all(inverse, images, list(rows))
        return features.reshape(*rows.shape, *features.shape[1:])

    seen = drawn.frame[:, past - 1 :]
    given = {
        "real": shown(np.concatenate([newest, future], 1), source.frames[seen.ravel()]),
        "actions_given": shown(np.concatenate([newest, acted], 1)),
    }
    for name, frames in given.items():
        command, *_ = read_commands(inverse, frames, name != "real")
        figures |= {f"command_{name}_{k}": v for k, v in _command_error(command, targets).items()}
    still, *_ = read_commands(inverse, np.repeat(given["real"][:, :1], seen.shape[1], 1), False)
    figures |= _object_probe(autoencoder, source, latents)
    figures["command_standing_still_mm"] = _command_error(still, targets)["mm"]
    return figures


@torch.no_grad()
def _object_probe(
    autoencoder: Autoencoder, source: EpisodeSource, latents: np.ndarray
) -> dict[str, float]:
    parts = torch.from_numpy(np.asarray(latents, np.float32)).split(1024)
    read = np.concatenate([autoencoder.read(part)[1].numpy() for part in parts]) / 10
    error = 1e3 * np.linalg.norm(read - source.object_position, axis=-1)[source.object_visible]
    if not error.size:
        return {}
    return {
        "object_probe_median_mm": float(np.median(error)),
        "object_probe_p95_mm": float(np.percentile(error, 95)),
    }


def _command_error(got: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    a, b = actions.unpack(got), actions.unpack(wanted)
    return {name: float(error(a, b).mean()) for name, error in ERRORS.items()}


def _reconstruction(
    autoencoder: Autoencoder, source: EpisodeSource, latents: np.ndarray, seed: int
) -> float:
    some = np.sort(np.random.default_rng(seed).choice(len(latents), min(512, len(latents)), False))
    images = decode(autoencoder, latents[some][:, None].astype(np.float32))
    return float(image_psnr(images, source.frames[some]).mean())

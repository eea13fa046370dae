"""Frames that inverse dynamics learns from besides recorded ones: reconstructed and dreamed.

What planning inverts is dreamed, and a dream is not what the camera would have seen. Both kinds
are made once and kept in the run's folder; making them can be interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from tqdm import tqdm

from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.training.autoencoder_training import encode_all
from wm_planner.training.dreaming import dream
from wm_planner.training.inverse_dynamics_windows import FrameSequences
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.source import EpisodeSource
from wm_planner.training.windows import UNKNOWN, gripper_widths

BATCH = 32

#: Numbers of the frames of some pieces, (N, H + 1), and the number of the first piece, to latents.
Maker = Callable[[np.ndarray, int], np.ndarray]


def pieces(source: EpisodeSource, horizon: int, count: int, seed: int) -> np.ndarray:
    """Draw pieces of episodes, every episode as likely as any other.

    Args:
        source: the data; stills and episodes shorter than a piece are left out.
        horizon: H.
        count: N.
        seed: of the choice.

    Returns:
        Numbers of their frames, shape (N, H + 1); N is 0 where no episode is long enough.
    """
    offsets = np.asarray(source.offsets)
    spare = np.diff(offsets) - horizon
    usable = np.flatnonzero((np.asarray(source.kind) != "stills") & (spare > 0))
    if not len(usable):
        return np.zeros((0, horizon + 1), np.int64)
    generator = np.random.default_rng([seed, 19])
    episode = usable[generator.integers(len(usable), size=count)]
    first = offsets[episode] + generator.integers(spare[episode])
    return np.asarray(first[:, None] + np.arange(horizon + 1))


def made_once(path: Path, frames: np.ndarray, shape: tuple[int, ...], make: Maker) -> np.ndarray:
    """Make all pieces, go on with what an interrupted run had made, or read what is there.

    Args:
        path: .npy file.
        frames: as `pieces` returns them.
        shape: (tokens, channels).
        make: makes some pieces; its noise is to depend on their numbers alone.

    Returns:
        Shape (N, H + 1, tokens, channels), float16.
    """
    if not path.exists():
        partial = path.with_suffix(".partial.npy")
        mode = "r+" if partial.exists() else "w+"
        out = open_memmap(partial, mode, np.float16, (*frames.shape, *shape))
        starts = range(0, len(frames), BATCH)
        for start in tqdm(starts, path.stem, unit="batch", disable=None):
            part = slice(start, start + BATCH)
            if out[part, 0].any(axis=(1, 2)).all():
                continue  # a new file is all zeros
            made = make(frames[part], start)
            # The first frames last: they tell that the others are there.
            out[part, 1:], out[part, :1] = made[:, 1:], made[:, :1]
        out.flush()
        os.replace(partial, path)
    result: np.ndarray = np.load(path, mmap_mode="r")
    return result


def as_sequences(source: EpisodeSource, frames: np.ndarray, latents: np.ndarray) -> FrameSequences:
    """Made pieces with the poses and commands of the recorded ones that they stand for."""
    count, length = frames.shape
    episode = np.searchsorted(source.offsets, frames[:, 0], side="right") - 1
    return FrameSequences(
        frames=latents.reshape(count * length, *latents.shape[2:]),
        hand_pose=source.hand_pose[frames.ravel()].astype(np.float32),
        hand_target=source.hand_target[frames.ravel()].astype(np.float32),
        offsets=np.arange(count + 1) * length,
        kind=np.asarray(source.kind)[episode],
    )


def reconstruction(autoencoder: Autoencoder, latents: np.ndarray) -> Maker:
    """Decode recorded frames and encode the pictures again.

    Args:
        autoencoder: in evaluation mode.
        latents: Shape (F, tokens, channels), of all recorded frames.
    """

    def make(frames: np.ndarray, first: int) -> np.ndarray:
        seen = torch.from_numpy(latents[frames.ravel()].astype(np.float32))
        with torch.no_grad():
            images = autoencoder.decode_image(seen).numpy()
        return encode_all(autoencoder, images).reshape(*frames.shape, *latents.shape[1:])

    return make


def dreaming(
    denoiser: Denoiser, source: EpisodeSource, latents: np.ndarray, steps: int, seed: int,
    hands: HandRenderer | None,
) -> Maker:  # fmt: skip
    """Dream what the recorded commands lead to, from the frames that were seen before.

    Args:
        denoiser: in evaluation mode.
        source: the data.
        latents: Shape (F, tokens, channels), of all recorded frames.
        steps: evaluations of the denoiser.
        seed: of the noise.
        hands: draws targets, for a denoiser that is shown them.
    """
    offsets, past = np.asarray(source.offsets), denoiser.settings.context_frames
    words = denoiser.settings.vocabulary

    def make(frames: np.ndarray, first: int) -> np.ndarray:
        newest = frames[:, 0]
        start = offsets[np.searchsorted(offsets, newest, side="right") - 1]
        # In front of an episode its first frame is repeated, which is how the planner starts.
        seen = np.maximum(newest[:, None] + np.arange(1 - past, 1), start[:, None])
        future = dream(
            denoiser, latents[seen].astype(np.float32), np.zeros((len(frames), words), np.float32),
            source.hand_target[frames[:, :-1]].astype(np.float32), 1.0, UNKNOWN, steps,
            torch.Generator().manual_seed(seed * 1_000_003 + first), hands,
            gripper_widths(source.hand_pose[seen]),
        )  # fmt: skip
        return np.concatenate([latents[newest][:, None], future.astype(np.float16)], axis=1)

    return make

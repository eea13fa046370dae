"""Recorded episodes as a video backbone sees them: latents, embeddings and relative actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wm_planner import actions
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.training.source import EpisodeSource
from wm_planner.training.video_training import Clips


@dataclass(frozen=True, eq=False)
class EncodedFrames:
    """What the frozen encoders of a pipeline make of F frames.

    Attributes:
        latents: Shape (F, C, h, w), float16, as the backbone is shown its first frame.
        embeddings: Shape (F, width), float16.
        scaling: factor from those latents to the ones that noise is added to.
    """

    latents: np.ndarray
    embeddings: np.ndarray
    scaling: float


class VideoClips:
    """Draws clips of consecutive frames; every episode that is long enough is equally likely."""

    def __init__(
        self, source: EpisodeSource, encoded: EncodedFrames, frames: int, batch: int
    ) -> None:
        """Prepare.

        Args:
            source: the episodes.
            encoded: of the same frames.
            frames: of a clip.
            batch: clips per draw.
        """
        length = np.diff(np.asarray(source.offsets))
        moving = np.asarray(source.kind) != "stills"
        self._episodes = np.flatnonzero((length >= frames) & moving)
        if not len(self._episodes):
            raise DataError(
                f"no episode holds {frames} frames in a row, the longest has {length.max()}"
            )
        self._first, self._length = np.asarray(source.offsets)[:-1], length
        self._encoded, self._frames, self._batch = encoded, frames, batch
        # What was commanded at frame k leads to frame k + 1.
        start, target = actions.unpack(source.hand_pose), actions.unpack(source.hand_target)
        self._action_after = actions.encode(start, target).astype(np.float32)  # (F, 20)

    @property
    def action_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the actions, each of shape (20,), for `VideoBackbone`."""
        std = np.maximum(self._action_after.std(0), 1e-3)
        return torch.from_numpy(self._action_after.mean(0)), torch.from_numpy(std)

    def __call__(self, generator: np.random.Generator) -> Clips:
        """Draw a batch."""
        episode = self._episodes[generator.integers(len(self._episodes), size=self._batch)]
        first = self._first[episode] + generator.integers(self._length[episode] - self._frames + 1)
        frame = first[:, None] + np.arange(self._frames)
        latents = torch.from_numpy(self._encoded.latents[frame].astype(np.float32))
        action = np.zeros((*frame.shape, actions.ACTION_SIZE), np.float32)
        action[:, 1:] = self._action_after[frame[:, :-1]]
        context = self._encoded.embeddings[first, None].astype(np.float32)
        return Clips(
            latents=latents * self._encoded.scaling,
            image=latents[:, 0],
            context=torch.from_numpy(context),
            actions=torch.from_numpy(action),
        )


@torch.no_grad()
def encode_frames(
    folder: Path, frames: np.ndarray, batch: int = 16, device: str = "cpu"
) -> EncodedFrames:
    """Encode frames with the frozen parts of a Stable Video Diffusion pipeline.

    Args:
        folder: of the pipeline, on this machine.
        frames: Shape (F, height, width, 3), uint8; sizes that its autoencoder can halve.
        batch: frames at a time.
        device: of torch.
    """
    vae, image_encoder, mean, std = _load(folder)
    vae, image_encoder = vae.to(device).eval(), image_encoder.to(device).eval()
    side = image_encoder.config.image_size
    latents, embeddings = [], []
    for at in range(0, len(frames), batch):
        pixels = torch.from_numpy(np.ascontiguousarray(frames[at : at + batch])).to(device)
        pixels = pixels.permute(0, 3, 1, 2) / 255  # (B, 3, height, width), 0 to 1
        latents.append(vae.encode(2 * pixels - 1).latent_dist.mode().half().cpu().numpy())
        small = functional.interpolate(pixels, (side, side), mode="bicubic", antialias=True)
        embedding = image_encoder((small - mean.to(device)) / std.to(device)).image_embeds
        embeddings.append(embedding.half().cpu().numpy())
    return EncodedFrames(
        np.concatenate(latents), np.concatenate(embeddings), float(vae.config.scaling_factor)
    )


def _load(folder: Path) -> tuple[Any, Any, Tensor, Tensor]:
    """Return the autoencoder, the image encoder, and its normalisation, each (1, 3, 1, 1)."""
    from diffusers import AutoencoderKLTemporalDecoder
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    local: dict[str, Any] = {"local_files_only": True}
    try:
        vae = AutoencoderKLTemporalDecoder.from_pretrained(
            folder / "vae", use_safetensors=True, **local
        )
        image_encoder = CLIPVisionModelWithProjection.from_pretrained(
            folder / "image_encoder", use_safetensors=True, **local
        )
        processor = CLIPImageProcessor.from_pretrained(folder / "feature_extractor", **local)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{folder}: vae, image_encoder and feature_extractor of Stable Video Diffusion "
            f"expected: {str(error).strip().splitlines()[0]}"
        ) from error
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in (processor.image_mean, processor.image_std)
    )
    return vae, image_encoder, mean, std

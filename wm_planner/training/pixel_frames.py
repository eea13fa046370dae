"""Images that inverse dynamics learns from: recorded or decoded, and varied in their looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wm_planner.inverse_dynamics.optical_flow import flow_from_before
from wm_planner.training.devices import device_of, half_precision, put
from wm_planner.training.inverse_dynamics_windows import Frames
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.networks.scene_decoder import SceneDecoder


class DecodedFrames:
    """What an autoencoder makes of latents, decoded when asked for."""

    def __init__(self, latents: np.ndarray, autoencoder: Autoencoder) -> None:
        """Keep both.

        Args:
            latents: Shape (F, tokens, channels).
            autoencoder: in evaluation mode.
        """
        self._latents, self._autoencoder = latents, autoencoder

    def __len__(self) -> int:
        return len(self._latents)

    @torch.no_grad()
    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Decode frames by numbers (N,), shape (N, h, w, 3), uint8."""
        device = device_of(self._autoencoder)
        latents = put(self._latents[rows].astype(np.float32), device)
        with half_precision(device):
            return self._autoencoder.decode_image(latents).cpu().numpy()


class FramesOverScenes:
    """What a scene decoder makes of latents, each over an earlier frame that was recorded."""

    def __init__(
        self, latents: np.ndarray, decoder: SceneDecoder, scene: np.ndarray,
        images: Frames, image_latents: np.ndarray,
    ) -> None:  # fmt: skip
        """Keep all.

        Args:
            latents: Shape (F, tokens, channels).
            decoder: in evaluation mode.
            scene: Number of the image that each latent goes on from, shape (F,).
            images: recorded ones.
            image_latents: What these are encoded as.
        """
        self._latents, self._decoder, self._scene = latents, decoder, scene
        self._images, self._image_latents = images, image_latents

    def __len__(self) -> int:
        return len(self._latents)

    @torch.no_grad()
    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Decode frames by numbers (N,), shape (N, h, w, 3), uint8."""
        device = device_of(self._decoder)
        scene, row = np.unique(self._scene[rows], return_inverse=True)
        latent, before = self._latents[rows], self._image_latents[scene]
        given = (latent.astype(np.float32), self._images[scene], before.astype(np.float32), row)
        with half_precision(device):
            return self._decoder.decode_image(*(put(x, device) for x in given)).cpu().numpy()


def varied(images: Tensor) -> Tensor:
    """Change the light of windows, blur them and add noise, each window in its own way.

    Args:
        images: Shape (B, W, h, w, 3), 0..255.

    Returns:
        The same shape, float.
    """
    count, device = len(images), images.device

    def each(spread: float) -> Tensor:
        return spread * torch.randn(count, 1, 1, 1, 1, device=device)

    image = images.float() * (1 + each(0.05)) + each(6.0)
    blurred = torch.rand(count, device=device) < 0.3
    if blurred.any():
        flat = image[blurred].flatten(0, 1).permute(0, 3, 1, 2)
        soft = functional.avg_pool2d(flat, 3, 1, 1, count_include_pad=False)
        image[blurred] = soft.permute(0, 2, 3, 1).unflatten(0, (-1, images.shape[1]))
    image += 4.0 * torch.rand(count, 1, 1, 1, 1, device=device) * torch.randn_like(image)
    return image.clamp_(0, 255)


def look(model: InverseDynamics, images: np.ndarray, vary: bool = False) -> Tensor:
    """Turn windows of images into the frames that the network reads.

    Args:
        model: with a backbone.
        images: Shape (B, W, h, w, 3), uint8.
        vary: whether to change how they look first.

    Returns:
        Shape (B, W, 1, features), with optical flow behind the features of a network that wants it.
    """
    assert model.backbone is not None
    device = device_of(model)
    shown = put(images, device)
    if vary:
        shown = varied(shown)
    # Stills are windows in which nothing changes: there is no need to look twice.
    fresh = np.ones(images.shape[:2], bool)
    fresh[:, 1:] = (images[:, 1:] != images[:, :-1]).any(axis=(2, 3, 4))
    with half_precision(device):
        features = model.backbone(shown[put(fresh, device)])
    features = features[put(np.cumsum(fresh) - 1, device)].unflatten(0, images.shape[:2])
    if not model.settings.motion:
        return features
    motion = put(flow_from_before(images), device)
    return torch.cat([features, motion[:, :, None]], -1)


@torch.no_grad()
def look_at_all(
    model: InverseDynamics, frames: Frames, sequences: Sequence[np.ndarray]
) -> np.ndarray:
    """Turn images of whole sequences into the frames that the network reads.

    Args:
        model: with a backbone, in evaluation mode.
        frames: images.
        sequences: numbers of the images of each, one after the other.

    Returns:
        Shape (F, 1, features), float32, the sequences laid end to end.
    """
    size = model.settings.channels + model.settings.motion
    parts = [look(model, frames[rows][None])[0].float().cpu().numpy() for rows in sequences]
    return np.concatenate([np.zeros((0, 1, size), np.float32), *parts])

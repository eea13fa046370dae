"""A denoiser that is kept, and dreams channels that it did not know as well.

Where latents were given further channels, an earlier denoiser can be left to dream those that it
knew, to the bit as before. The further ones are read off its last layer by a linear map, which
least squares over noisy windows fit at once, so nothing is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from wm_planner.errors import ConfigurationError
from wm_planner.training.devices import device_of, half_precision
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.latent_packing import pack
from wm_planner.training.noisy_windows import NoisyBatch, NoisyWindows, weight

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run

RIDGE = 1e-4  # of the features' mean square
RESIDUAL = "residual"


def keep_denoiser(run: Run, model: Denoiser, windows: NoisyWindows) -> Denoiser:
    """Fit the further channels of a denoiser that begins as the one of ``--start-from``.

    Args:
        run: whose settings ask for it; ``denoiser_steps`` batches are looked at.
        model: the denoiser as it begins; changed.
        windows: what to fit on.

    Raises:
        ConfigurationError: there is none to keep, or nothing to fit.
    """
    s = run.settings
    if run.start is None or run.start.rig != s.rig or run.start.channels >= s.channels:
        raise ConfigurationError(
            "denoiser_keep is true, which keeps the denoiser of --start-from: name one for "
            f"{s.rig} with fewer than {s.channels} channels"
        )
    if s.prediction != RESIDUAL or (s.autoencoder_steps and not s.autoencoder_keep):
        raise ConfigurationError(
            "denoiser_keep is true, which takes the encoder that it was trained on "
            "(autoencoder_keep, or autoencoder_steps: 0) and prediction: residual"
        )
    generator = np.random.default_rng([s.seed, 12])
    torch.manual_seed(s.seed)
    bar = tqdm(range(s.denoiser_steps), desc="denoiser", unit="batch", mininterval=5.0)
    batches = (windows.draw(model, generator, device_of(model)) for _ in bar)
    fit_further_channels(model, run.start.channels, batches)
    return model.eval()


@torch.no_grad()
def fit_further_channels(model: Denoiser, known: int, batches: Iterable[NoisyBatch]) -> None:
    """Fit rows of the last layer, of channels from `known` on, and leave all others alone.

    Errors are weighted as in training. What the model sees of the further channels counts for
    nothing in it, so what it knows of them is where they were on the newest frame.
    """
    settings, device = model.settings, device_of(model)
    rows = torch.arange(settings.cells * settings.channels).view(settings.cells, -1)
    rows = rows[:, known:].flatten().to(device)
    size = settings.width + 1
    square = torch.zeros(size, size, dtype=torch.float64, device=device)
    product = torch.zeros(size, len(rows), dtype=torch.float64, device=device)
    seen: list[Tensor] = []
    hook = model.outputs.register_forward_hook(lambda layer, inputs, _: seen.append(inputs[0]))
    try:
        for batch in batches:
            with half_precision(device):
                model(
                    batch.context, batch.noisy, batch.signal, *batch.conditions, None,
                    batch.hands, batch.gripper_width,
                )  # fmt: skip
            past = settings.context_frames
            features = seen.pop().double().unflatten(1, (-1, settings.groups))[:, past:]
            change = pack(batch.clean, settings) - pack(batch.newest, settings)
            importance = weight(batch.signal)[..., None].expand(features.shape[:3]).reshape(-1, 1)
            features = features.flatten(0, 2)
            features = torch.cat([features, torch.ones_like(features[:, :1])], 1)
            weighed = features * importance
            square += weighed.T @ features
            product += weighed.T @ change[..., rows].flatten(0, 2).double()
    finally:
        hook.remove()
    ridge = RIDGE * square.diagonal().mean() * torch.eye(size, dtype=square.dtype, device=device)
    fitted = torch.linalg.solve(square + ridge, product).float()
    model.outputs.weight[rows] = fitted[:-1].T
    model.outputs.bias[rows] = fitted[-1]

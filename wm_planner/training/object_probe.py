"""Fits the probes of `wm_planner.open_loop.object_probe`. It lies in this part for its torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wm_planner.open_loop.object_probe import Probe
from wm_planner.training.devices import half_precision

LEAST_FRAMES = 200
WIDTH, BATCH, RATE, WEIGHT_DECAY = 512, 512, 2e-3, 0.5
EPOCHS, LEAST_STEPS, MOST_STEPS = 30, 300, 3000
NOISE = 0.2  # deviation of what is added to inputs, in theirs: fewer frames then do
SCALE_M = 0.1  # positions are of this size
#: From here on errors count by their size, not its square: an object that is hidden is anywhere,
#: and would have all others read less exactly.
CAPPED_M = 0.003


def fit_probe(inputs: np.ndarray, positions: np.ndarray, seed: int) -> Probe | None:
    """Fit a probe, or return None where there are too few frames. See `FitProbe`."""
    if len(inputs) < LEAST_FRAMES:
        return None
    mean = positions.mean(axis=0)
    centre, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)

    def scaled(some: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(((some - centre) / scale).astype(np.float32))

    wanted = torch.from_numpy(((positions - mean) / SCALE_M).astype(np.float32))
    network = _fitted(scaled(inputs), wanted, seed)

    @torch.no_grad()
    def read(some: np.ndarray) -> np.ndarray:
        answer: np.ndarray = network(scaled(some)).numpy() * SCALE_M + mean
        return answer

    return Probe(mean=mean, frames=len(inputs), network=read)


def _fitted(inputs: torch.Tensor, wanted: torch.Tensor, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(inputs.shape[1], WIDTH), nn.GELU(),
            nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 3),
        )  # fmt: skip
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=WEIGHT_DECAY)
        steps = int(np.clip(EPOCHS * len(inputs) // BATCH, LEAST_STEPS, MOST_STEPS))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
        for _ in range(steps):
            rows = torch.randint(len(inputs), (BATCH,))
            seen = inputs[rows]
            with half_precision(seen.device):
                features = network[:-1](seen + NOISE * torch.randn_like(seen))
            # Positions themselves are to be more exact than half precision is.
            answer = network[-1](features.float())
            loss = functional.huber_loss(answer, wanted[rows], delta=CAPPED_M / SCALE_M)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval()

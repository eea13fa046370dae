"""How sure inverse dynamics may say that it is, fitted on episodes that it did not learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm

from wm_planner import actions
from wm_planner.inverse_dynamics.chain_variance import chain_variance
from wm_planner.training.inverse_dynamics_windows import FrameSequences
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.reading import read_commands

LEVEL = 0.9  # nominal probability of the intervals that are to hold
WIDEST = float(norm.ppf((1 + LEVEL) / 2))  # their half width, in deviations
SMALLEST_SCALE, LARGEST_CORRELATION = 1e-9, 0.98
PARTS = {
    "positions": [*range(3), *range(10, 13)],
    "rotations": [*range(3, 9), *range(13, 19)],
    "widths": [9, 19],
}  # of the 20-D action


@dataclass(frozen=True, eq=False)
class _Read:
    """C chains of H commands, what was commanded, and how sure the model is.

    Attributes:
        start: packed hand poses that the chains start at, shape (C, 20).
        packed, variance, wanted: shape (C, H, 20).
    """

    start: np.ndarray
    packed: np.ndarray
    variance: np.ndarray
    wanted: np.ndarray


def set_aside(episodes: int, seed: int, share: float) -> np.ndarray:
    """Choose the episodes that inverse dynamics is calibrated on, shape (E,), bool."""
    return np.random.default_rng([seed, 17]).random(episodes) < share


@torch.no_grad()
def calibrate(
    model: InverseDynamics, sources: Mapping[str, tuple[FrameSequences, np.ndarray]], horizon: int
) -> dict[str, float]:
    """Fit the scales of the stated variances, which become part of the network.

    The likelihood fits the variance of Gaussian errors; these have heavier tails. So each entry
    of the targets gets the one factor with which the stated 90% intervals hold, and then each
    entry of the steps between targets the correlation with which theirs hold.

    Args:
        model: trained; its scales are replaced.
        sources: by name (real, dreamed) the frames and which sequences of them to use, shape (E,),
            bool; each source counts as much as any other.
        horizon: H, commands that are read at a time, as in planning.

    Returns:
        Share of the errors of the 20-D actions within the stated intervals, %, by source and part.
    """
    model.log_scale.zero_()
    model.correlation.zero_()
    answers = {name: _read(model, *source, horizon) for name, source in sources.items()}
    answers = {name: answer for name, answer in answers.items() if len(answer.start)}
    if not answers:
        return {}
    targets = [(a.packed - a.wanted, a.variance) for a in answers.values()]
    scale = np.maximum(_factor(targets), SMALLEST_SCALE)
    model.log_scale.copy_(torch.from_numpy(np.log(scale)))
    independent = np.zeros_like(scale)
    steps = [_steps(answer, scale, independent) for answer in answers.values()]
    if horizon > 1:
        correlation = 1 - _factor([(wrong[:, 1:], stated[:, 1:]) for wrong, stated in steps])
        correlation = np.clip(correlation, -1.0, LARGEST_CORRELATION)
        correlation[actions.WIDTH :: actions.HAND_SIZE] = 0.0
        model.correlation.copy_(torch.from_numpy(correlation))
    figures = {}
    for name, answer in answers.items():
        wrong, stated = _steps(answer, scale, model.correlation.numpy().astype(np.float64))
        inside = np.abs(wrong) <= WIDEST * np.sqrt(stated)
        for part, columns in PARTS.items():
            figures[f"{name} frames, {part}"] = 100 * float(inside[..., columns].mean())
    return figures


def _read(
    model: InverseDynamics, sequences: FrameSequences, chosen: np.ndarray, horizon: int
) -> _Read:
    """Cut the sequences into pieces of H + 1 frames without overlap, and read those."""
    starts = [
        np.arange(first, end - horizon, horizon)
        for first, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True)
    ]
    usable = chosen & (sequences.kind != "stills")
    chosen_starts = [at for at, use in zip(starts, usable, strict=True) if use]
    start = np.concatenate([np.zeros(0, np.int64), *chosen_starts])
    frame = start[:, None] + np.arange(horizon + 1)
    size = sequences.hand_pose.shape[-1]
    if not len(start):
        nothing = np.zeros((0, horizon, size))
        return _Read(nothing[:, 0], nothing, nothing, nothing)
    packed, variance = read_commands(model, sequences.latents[frame])
    return _Read(
        sequences.hand_pose[start].astype(np.float64), packed, variance,
        sequences.hand_target[frame[:, :-1]].astype(np.float64),
    )  # fmt: skip


def _steps(
    answer: _Read, scale: np.ndarray, correlation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of the chains of actions and their stated variance, both (C, H, 20)."""
    errors, stated = [], []
    for start, packed, variance, wanted in zip(*vars(answer).values(), strict=True):
        measured, targets = actions.unpack(start), actions.unpack(packed[None])
        chain = actions.difference(measured, targets)
        truth = actions.difference(measured, actions.unpack(wanted[None]))
        errors.append((chain - truth)[0])
        stated.append(chain_variance(measured, targets, variance[None] * scale, correlation)[0])
    return np.stack(errors), np.stack(stated)


def _factor(parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return what variances are to be multiplied by so that the intervals hold, shape (20,).

    Args:
        parts: errors and variances of each source, (..., 20).
    """
    ratios, weights = [], []
    for error, variance in parts:
        ratio = np.square(error / WIDEST).reshape(-1, error.shape[-1])
        ratios.append(ratio / variance.reshape(ratio.shape))
        weights.append(np.full(len(ratio), 1 / max(len(ratio), 1)))
    ratio, weight = np.concatenate(ratios), np.concatenate(weights)
    order = np.argsort(ratio, axis=0)
    reached = np.cumsum(weight[order], axis=0) >= LEVEL * weight.sum() * (1 - 1e-9)
    at_level = np.take_along_axis(order, reached.argmax(axis=0)[None], axis=0)
    result: np.ndarray = np.take_along_axis(ratio, at_level, axis=0)[0]
    return result

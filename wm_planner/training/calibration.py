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
from wm_planner.training.networks.inverse_dynamics import CALIBRATED, InverseDynamics
from wm_planner.training.reading import read_commands

LEVEL = 0.9  # nominal probability of the intervals that are to hold
WIDEST = float(norm.ppf((1 + LEVEL) / 2))  # their half width, in deviations
SMALLEST_FACTOR = 1e-9
CORRELATIONS = (-1.0, 0.98)
ROUNDS = 3
REAL, DREAMED = "real", "dreamed"
PREFIXES = {REAL: "", DREAMED: "dreamed_"}  # of the names in `CALIBRATED`
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
        packed, variance, correlation, wanted: shape (C, H, 20).
    """

    start: np.ndarray
    packed: np.ndarray
    variance: np.ndarray
    correlation: np.ndarray
    wanted: np.ndarray


def set_aside(recording: np.ndarray, seed: int, share: float) -> np.ndarray:
    """Choose the episodes that inverse dynamics is calibrated on: recordings as a whole.

    Args:
        recording: of each episode, shape (E,), whole numbers from 0 on.
        seed: of the choice.
        share: of the recordings, on average; above 0 it is at least one of several.

    Returns:
        Shape (E,), bool.
    """
    drawn = np.random.default_rng([seed, 17]).random(int(recording.max()) + 1)
    chosen = drawn < share
    if share > 0 and not chosen.any() and len(drawn) > 1:
        chosen[drawn.argmin()] = True
    picked: np.ndarray = chosen[recording]
    return picked


@torch.no_grad()
def calibrate(
    model: InverseDynamics, sources: Mapping[str, tuple[FrameSequences, np.ndarray]], horizon: int
) -> dict[str, float]:
    """Fit the scales of the stated variances, which become part of the network.

    The likelihood fits the variance of Gaussian errors; these have heavier tails. So each entry
    of the targets gets the one factor with which the stated 90% intervals hold, and each entry
    of the steps between targets the correlation with which theirs hold, for recorded and for
    dreamed frames. Disagreement of windows does not scale, so the fit goes in rounds.

    Args:
        model: trained; its scales are replaced.
        sources: by name, REAL or DREAMED, the frames and which sequences of them to use, shape
            (E,), bool. What is fitted on one alone holds for both.
        horizon: H, commands that are read at a time, as in planning.

    Returns:
        Share of the errors of the 20-D actions within the stated intervals, %, by source and part.
    """
    for name in CALIBRATED:
        model.get_buffer(name).zero_()
    found = {name: _starts(*source, horizon) for name, source in sources.items()}
    found = {name: start for name, start in found.items() if len(start)}
    if not found:
        return {}

    def read() -> dict[str, _Read]:
        return {
            name: _read(model, sources[name][0], at, horizon, name == DREAMED)
            for name, at in found.items()
        }

    for _ in range(ROUNDS):
        for name, answer in read().items():
            factor = _factor(answer.packed - answer.wanted, answer.variance)
            for prefix in _prefixes(name, found):
                buffer = model.get_buffer(f"{prefix}log_scale")
                buffer += torch.from_numpy(np.log(np.maximum(factor, SMALLEST_FACTOR)))
        if horizon == 1:
            continue
        for name, answer in read().items():
            wrong, stated = _steps(answer)
            factor = _factor(wrong[:, 1:], stated[:, 1:])
            factor[actions.WIDTH :: actions.HAND_SIZE] = 1.0  # absolute: not a step
            for prefix in _prefixes(name, found):
                buffer = model.get_buffer(f"{prefix}correlation")
                shared = 1 - (1 - buffer.numpy()) * factor
                buffer.copy_(torch.from_numpy(np.clip(shared, *CORRELATIONS)))
    figures = {}
    for name, answer in read().items():
        wrong, stated = _steps(answer)
        inside = np.abs(wrong) <= WIDEST * np.sqrt(stated)
        for part, columns in PARTS.items():
            figures[f"{name} frames, {part}"] = 100 * float(inside[..., columns].mean())
    return figures


def _prefixes(name: str, found: Mapping[str, object]) -> tuple[str, ...]:
    """Which of the network's scales a source is for."""
    return (PREFIXES[name],) if len(found) > 1 else tuple(PREFIXES.values())


def _starts(sequences: FrameSequences, chosen: np.ndarray, horizon: int) -> np.ndarray:
    """Where pieces of H + 1 frames that do not overlap begin, shape (C,)."""
    usable = chosen & (sequences.kind != "stills")
    ends = zip(sequences.offsets[:-1], sequences.offsets[1:], usable, strict=True)
    starts = [np.arange(first, end - horizon, horizon) for first, end, use in ends if use]
    return np.concatenate([np.zeros(0, np.int64), *starts])


def _read(
    model: InverseDynamics,
    sequences: FrameSequences,
    start: np.ndarray,
    horizon: int,
    dreamed: bool,
) -> _Read:
    frame = start[:, None] + np.arange(horizon + 1)
    rows = sequences.frames[frame.ravel()]
    frames = rows.reshape(*frame.shape, *rows.shape[1:])
    packed, variance, correlation = read_commands(model, frames, dreamed)
    return _Read(
        sequences.hand_pose[start].astype(np.float64), packed, variance, correlation,
        sequences.hand_target[frame[:, :-1]].astype(np.float64),
    )  # fmt: skip


def _steps(answer: _Read) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of the chains of actions and their stated variance, both (C, H, 20)."""
    errors, stated = [], []
    for start, packed, variance, correlation, wanted in zip(*vars(answer).values(), strict=True):
        measured, targets = actions.unpack(start), actions.unpack(packed[None])
        chain = actions.difference(measured, targets)
        truth = actions.difference(measured, actions.unpack(wanted[None]))
        errors.append((chain - truth)[0])
        stated.append(chain_variance(measured, targets, variance[None], correlation[None])[0])
    return np.stack(errors), np.stack(stated)


def _factor(error: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return what variances are to be multiplied by so that the intervals hold.

    Args:
        error, variance: shape (C, H, 20).

    Returns:
        Shape (20,).
    """
    ratio = np.square(error / WIDEST) / variance
    factor: np.ndarray = np.quantile(ratio.reshape(-1, ratio.shape[-1]), LEVEL, axis=0)
    return factor

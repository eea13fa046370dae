"""Windows that slide over a sequence of frames, and one answer from all that overlap."""

from __future__ import annotations

import numpy as np

from wm_planner import actions


def cut_windows(frames: np.ndarray, window: int) -> np.ndarray:
    """Return every window of neighbouring frames.

    Args:
        frames: shape (K, F, ...). Fewer frames than a window are filled up with the last one.
        window: W, at least 2.

    Returns:
        Shape (S, K, W, ...), S = max(F, W) - W + 1, the earliest window first.
    """
    missing = window - frames.shape[1]
    if missing > 0:
        frames = np.concatenate([frames, np.repeat(frames[:, -1:], missing, axis=1)], axis=1)
    starts = range(frames.shape[1] - window + 1)
    return np.stack([frames[:, start : start + window] for start in starts])


def lay_out(answers: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Put what windows say about their pairs of frames where those pairs are in the sequence.

    Args:
        answers: shape (S, K, W - 1, ...), of the windows of `cut_windows`.
        steps: pairs of the sequence; answers about pairs beyond are left out.

    Returns:
        Shape (S, K, steps, ...), 0 where a window says nothing; and whether it says something,
        shape (S, steps).
    """
    count, pairs = answers.shape[0], answers.shape[2]
    laid = np.zeros((count, answers.shape[1], count + pairs - 1, *answers.shape[3:]))
    said = np.zeros((count, count + pairs - 1), bool)
    for start in range(count):
        laid[start, :, start : start + pairs] = answers[start]
        said[start, start : start + pairs] = True
    return laid[:, :, :steps], said[:, :steps]


def merge(
    packed: np.ndarray, variance: np.ndarray, said: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average answers by inverse variance.

    Answers to the same frames share their errors: the variance of the average is the mean that
    is stated (the harmonic one), plus how much the answers disagree.

    Args:
        packed: shape (N, K, P, 20).
        variance: of them, positive where they count.
        said: which answers count, shape (N, P), at least one for every pair.

    Returns:
        The average, rotations orthonormal, and its variance, both (K, P, 20).
    """
    counts = said[:, None, :, None]
    weights = counts / np.where(counts, variance, 1.0)
    mean = actions.average(packed, weights)
    spread = (np.square(packed - mean) * weights).sum(axis=0)
    return mean, (counts.sum(axis=0) + spread) / weights.sum(axis=0)


def mean_said(values: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return the plain mean over the answers that count; arguments and shapes as of `merge`."""
    counts = said[:, None, :, None]
    mean: np.ndarray = (values * counts).sum(axis=0) / counts.sum(axis=0)
    return mean

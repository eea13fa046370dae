"""The instructions of a training set as the networks read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from wm_planner.words import word_vector, words_of


def build_vocabulary(instructions: Iterable[str]) -> tuple[str, ...]:
    """All words of a training set's instructions, sorted."""
    return tuple(sorted(set().union(*(words_of(sentence) for sentence in instructions))))


def multi_hot(sentences: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """Which vocabulary words each sentence holds, shape (N, V), float32; "" gives zeros."""
    return np.stack([word_vector(sentence or None, vocabulary, ()) for sentence in sentences])

"""Instructions as the set of their known words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np


def words_of(sentence: str) -> list[str]:
    """Lower-case words of a sentence."""
    return re.findall(r"[a-z]+", sentence.lower())


def build_vocabulary(instructions: Iterable[str]) -> tuple[str, ...]:
    """All words of a training set's instructions, sorted."""
    return tuple(sorted({word for sentence in instructions for word in words_of(sentence)}))


def multi_hot(sentences: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """Which vocabulary words each sentence holds, shape (N, V), float32; "" gives zeros."""
    index = {word: i for i, word in enumerate(vocabulary)}
    out = np.zeros((len(sentences), len(vocabulary)), np.float32)
    for row, sentence in enumerate(sentences):
        for word in words_of(sentence):
            if word in index:
                out[row, index[word]] = 1.0
    return out

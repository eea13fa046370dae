"""Instructions as the networks read them: which of the known words occur."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from wm_planner.errors import UnknownNameError

_WORD = re.compile(r"[^\W\d_]+")


def words_of(sentence: str) -> set[str]:
    """Return the lower-case words of a sentence."""
    return set(_WORD.findall(sentence.lower()))


def word_vector(
    instruction: str | None, vocabulary: Sequence[str], examples: Sequence[str]
) -> np.ndarray:
    """Return which words of the vocabulary an instruction holds, shape (V,), float32.

    Args:
        instruction: a sentence; case and unknown words do not matter. None gives zeros, which the
            networks know as "nothing was asked for".
        vocabulary: the V known words, lower case.
        examples: sentences to suggest when no word is known.
    """
    vector = np.zeros(len(vocabulary), np.float32)
    if instruction is None:
        return vector
    words = words_of(instruction)
    vector[:] = [word in words for word in vocabulary]
    if not vector.any():
        raise UnknownNameError("instruction", instruction, examples)
    return vector

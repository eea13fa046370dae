"""Steps that are decided before a plan is made: the arms will do them while it is being made."""

from __future__ import annotations

import dataclasses

import numpy as np

from wm_planner import actions
from wm_planner.types import ActionChunks, HandPoses


def go_on_from(
    committed: HandPoses | None, chunks: ActionChunks, measured: HandPoses
) -> ActionChunks:
    """Put what is decided in front of chunks that were read off dreams.

    The targets behind stay where the dreams have them, so that every check of the chunk judges the
    seam too. The dreams were told of these steps, so that they go on from there: real-time
    chunking with a frozen prefix (Black et al. 2025, arXiv 2506.07339).

    Args:
        committed: targets of the first d < H steps, leading axis d; None for no step.
        chunks: K candidates.
        measured: hands where the chunks begin, no leading axes.
    """
    if committed is None:
        return chunks
    count = committed.lead[0]
    with np.errstate(invalid="ignore", over="ignore"):
        packed = actions.pack(actions.integrate(measured, chunks.actions))
        packed[:, :count] = actions.pack(committed)
        changed = actions.difference(measured, actions.unpack(packed))
    variance = np.array(chunks.variance)
    variance[:, :count] = 0.0
    return dataclasses.replace(chunks, actions=changed, variance=variance)

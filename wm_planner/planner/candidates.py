"""K candidates in all their forms: dreams, actions, paths in joint space, and simulated dreams."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from wm_planner.types import ActionChunks, JointTrajectories, Resimulation, Rollouts

Batch = TypeVar("Batch", Rollouts, ActionChunks, JointTrajectories)


@dataclass(frozen=True, eq=False)
class Candidates:
    """One batch; each part has K rows.

    Attributes:
        rollouts: the dreams.
        chunks: their actions.
        trajectories: the same in joint space.
        resimulation: what the world model dreams of the actions; None where nobody asked.
        decided: first steps that were decided before these candidates were made.
    """

    rollouts: Rollouts
    chunks: ActionChunks
    trajectories: JointTrajectories
    resimulation: Resimulation | None
    decided: int = 0

    def __len__(self) -> int:
        """Return K."""
        return len(self.rollouts.latents)

    def replaced(self, rows: np.ndarray, fresh: Candidates) -> Candidates:
        """Return the same with other candidates in ``rows``, (k,) indices; the rest keep theirs."""
        rollouts = _replaced(self.rollouts, rows, fresh.rollouts)
        again = None
        if self.resimulation is not None and fresh.resimulation is not None:
            one, other = self.resimulation, fresh.resimulation
            chunks = one.chunks
            if chunks is not None and other.chunks is not None:
                chunks = _replaced(chunks, rows, other.chunks)
            simulated = _replaced(one.rollouts, rows, other.rollouts)
            again = Resimulation(rollouts, simulated, one.newest, chunks)
        return Candidates(
            rollouts,
            _replaced(self.chunks, rows, fresh.chunks),
            _replaced(self.trajectories, rows, fresh.trajectories),
            again,
            self.decided,
        )


def _replaced(old: Batch, rows: np.ndarray, new: Batch) -> Batch:
    """Every array of a batch has its candidates along the first axis."""
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(old):
        value = getattr(old, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = value.copy()
            changed[field.name][rows] = getattr(new, field.name)
    return dataclasses.replace(old, **changed)

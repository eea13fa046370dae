"""The base of all scorers: how close a candidate comes to the goal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from wm_planner.bundle import Bundle
from wm_planner.onnx_session import OnnxSettings
from wm_planner.types import ActionChunks, Goal, Need, Resimulation, Rollouts, Scores


class LatentJudge(Protocol):
    """What scorers need of a world model; every `WorldModel` has it."""

    def look(self, frames: np.ndarray) -> np.ndarray:
        """Turn camera images (N, h, w, 3) uint8 into latents."""
        ...

    def value(self, latents: np.ndarray, goal: Goal) -> np.ndarray:
        """Return how near the goal frames are, shape (N,)."""
        ...

    def decode(self, latents: np.ndarray, scene: np.ndarray | None = None) -> np.ndarray:
        """Turn latents into images (N, h, w, 3) uint8, over the newest frame observed."""
        ...


@dataclass(frozen=True, eq=False)
class ScoringContext:
    """Everything a scorer may look at.

    Attributes:
        rollouts: the K dreams.
        chunks: the actions read off them.
        goal: what to reach.
        world_model: looks, decodes and judges.
        execute_steps: steps of a chunk that are carried out before looking again, at most.
        resimulation: at least what the scorer `needs`; None where no one needs any.
        scene: the newest frame observed, (h, w, 3) uint8; None where nobody has it.
    """

    rollouts: Rollouts
    chunks: ActionChunks
    goal: Goal
    world_model: LatentJudge
    execute_steps: int
    resimulation: Resimulation | None = None
    scene: np.ndarray | None = None


class Scorer(ABC):
    """Gives every candidate a number, higher is better; the planner adds them up over scorers.

    A scorer that has nothing to say about a goal (no image given, say) contributes zeros. Its
    settings, a frozen dataclass beside it, are named after it: `ValueScorerSettings`.

    Attributes:
        settings: may be replaced between two plans, but for what is declared `fixed`.
        needs: of a re-simulation, which costs as much as dreaming; an instance may have its own.
    """

    settings: Any
    needs: Need = Need.NOTHING

    @classmethod
    def open(cls, settings: Any, bundle: Bundle, onnx: OnnxSettings) -> Scorer:
        """Build one as `planner.yaml` configures it; those that need a graph override this.

        Args:
            settings: the dataclass beside the class.
            bundle: the world model's, for heads that come with it.
            onnx: where graphs run.
        """
        return cls(settings)  # type: ignore[call-arg]  # every scorer that needs no graph takes them

    @abstractmethod
    def score(self, context: ScoringContext) -> Scores:
        """Return one contribution per candidate, shape (K,)."""

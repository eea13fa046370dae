"""Prefers dreams whose last frames look like what the instruction says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from wm_planner.bundle import Bundle
from wm_planner.onnx_session import OnnxSettings
from wm_planner.scorers.bundle_head import BundleHead
from wm_planner.scorers.own_embedding import OwnEmbedding
from wm_planner.scorers.scorer import LatentJudge, Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Goal, Scores

CLIP_MEAN, CLIP_STD = (0.481, 0.458, 0.408), (0.269, 0.261, 0.276)  # Radford et al. 2021


@dataclass(frozen=True)
class InstructionScorerSettings:
    """How much the likeness counts, and who judges it."""

    weight: float = setting(1.0, minimum=0.0, maximum=1000.0, help="Factor of the mean cosine.")
    frames: int = setting(3, minimum=1, maximum=100, help="Last frames of a dream to average over.")
    image_encoder: str = setting(
        "", help="ONNX file from images (N, 3, h, w) to embeddings; empty for the bundle's head.",
        fixed=True,
    )  # fmt: skip
    text_embeddings: str = setting(
        "", help="JSON file of embeddings by instruction, for image_encoder.", fixed=True
    )
    image_mean: tuple[float, ...] = setting(
        CLIP_MEAN, minimum=0.0, maximum=1.0, help="Of red, green and blue, for image_encoder.",
        fixed=True,
    )  # fmt: skip
    image_std: tuple[float, ...] = setting(
        CLIP_STD, minimum=0.01, maximum=1.0, help="Of red, green and blue, for image_encoder.",
        fixed=True,
    )  # fmt: skip

    def problems(self) -> list[str]:
        """Tell what does not go together."""
        found = []
        if bool(self.image_encoder) != bool(self.text_embeddings):
            found.append("image_encoder and text_embeddings need each other")
        if len(self.image_mean) != 3 or len(self.image_std) != 3:
            found.append("image_mean and image_std need one number for each of three colours")
        return found


class Embedding(Protocol):
    """Judges how much frames look like what an instruction says."""

    def similarity(
        self, latents: np.ndarray, goal: Goal, world_model: LatentJudge, scene: np.ndarray | None
    ) -> np.ndarray:
        """Return cosines (N,), -1 to 1, for latents (N, ...) and a goal with an instruction.

        Args:
            latents: of frames.
            goal: with an instruction.
            world_model: shows them to who wants pixels.
            scene: what it shows them over, the newest frame observed; None where nobody has it.
        """
        ...


class BundleEmbedding:
    """The head that was trained with the world model."""

    def __init__(self, head: BundleHead) -> None:
        self._head = head

    def similarity(
        self, latents: np.ndarray, goal: Goal, world_model: LatentJudge, scene: np.ndarray | None
    ) -> np.ndarray:
        """Ask the graph; no pixels are needed."""
        return self._head.judge(latents, goal)


class InstructionScorer(Scorer):
    """Mean cosine between the last frames and the instruction; zeros without one."""

    def __init__(
        self, embedding: Embedding, settings: InstructionScorerSettings | None = None
    ) -> None:
        self.settings = settings or InstructionScorerSettings()
        self._embedding = embedding

    @classmethod
    def open(
        cls, settings: InstructionScorerSettings, bundle: Bundle, onnx: OnnxSettings
    ) -> InstructionScorer:
        """Take the user's own models where the settings name them, else the bundle's head."""
        if settings.image_encoder:
            own = OwnEmbedding(
                Path(settings.image_encoder), Path(settings.text_embeddings),
                settings.image_mean, settings.image_std, onnx,
            )  # fmt: skip
            return cls(own, settings)
        return cls(BundleEmbedding(BundleHead("instruction", bundle, onnx)), settings)

    def score(self, context: ScoringContext) -> Scores:
        """Return weight times mean cosine, shape (K,)."""
        latents = context.rollouts.latents[:, -self.settings.frames :]  # (K, frames, ...)
        count, frames = latents.shape[:2]
        if context.goal.instruction is None:
            return Scores("instruction", np.zeros(count))
        flat = latents.reshape(count * frames, *latents.shape[2:])
        seen = context.world_model, context.scene
        cosine = self._embedding.similarity(flat, context.goal, *seen)
        mean = cosine.reshape(count, frames).mean(axis=1)
        return Scores("instruction", self.settings.weight * mean)

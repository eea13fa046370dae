"""Prefers dreams whose end judges of futures would rather see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.bundle import Bundle
from wm_planner.onnx_session import OnnxSettings
from wm_planner.scorers.bundle_head import BundleHead
from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import Scores


@dataclass(frozen=True)
class PreferenceScorerSettings:
    """How much preference counts."""

    weight: float = setting(
        0.1, minimum=0.0, maximum=1000.0, help="Factor of the log odds of being preferred."
    )


class PreferenceScorer(Scorer):
    """The bundle's Bradley-Terry score of a dream's last frames; zeros without an instruction."""

    def __init__(self, head: BundleHead, settings: PreferenceScorerSettings | None = None) -> None:
        self.settings = settings or PreferenceScorerSettings()
        self._head = head
        self._frames = int(head.latents_shape[1])

    @classmethod
    def open(
        cls, settings: PreferenceScorerSettings, bundle: Bundle, onnx: OnnxSettings
    ) -> PreferenceScorer:
        """Look for the bundle's graph "preference"."""
        return cls(BundleHead("preference", bundle, onnx), settings)

    def score(self, context: ScoringContext) -> Scores:
        """Return weight times log odds, shape (K,); only differences mean anything."""
        latents = context.rollouts.latents
        count, horizon = latents.shape[:2]
        if context.goal.instruction is None:
            return Scores("preference", np.zeros(count))
        last = np.maximum(np.arange(horizon - self._frames, horizon), 0)
        score = self._head.judge(latents[:, last], context.goal)
        return Scores("preference", self.settings.weight * score)

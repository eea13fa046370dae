"""Search around a proposal: sampling motions, and moving to where the good ones are.

Two ways to turn scores into the next distribution: the cross-entropy method (de Boer et al. 2005,
"A Tutorial on the Cross-Entropy Method", section 3) refits mean and deviation to the best;
model predictive path integral control (Williams et al. 2017, "Information Theoretic MPC for
Model-Based Reinforcement Learning", equation 33) moves the mean by exponentially weighted samples
and keeps the deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from wm_planner.settings import setting
from wm_planner.types import HandPoses

SEARCHES = ("none", "cem", "mppi")
HAND_OFFSET = 7  # of one hand: position, rotation vector in the tool's frame, width
GIVEN = 3  # motions of a batch that are not drawn: the proposal, the mean, the best so far
LEAST_SPREAD = 0.1  # of the first: a distribution that has collapsed finds nothing more


@dataclass(frozen=True)
class SearchSettings:
    """How the best dream's motion is improved by simulating others near it."""

    search: str = setting(
        "none", choices=SEARCHES, help="How motions near the best dream's are searched."
    )
    search_iterations: int = setting(
        2, minimum=1, maximum=50, help="Batches of motions to simulate."
    )
    search_samples: int = setting(
        0, minimum=0, maximum=1024, help="Motions of a batch; 0 for as many as candidates."
    )
    search_knots: int = setting(
        3, minimum=1, maximum=32, help="Points in time at which a motion is bent."
    )
    search_position: float = setting(
        0.015, unit="m", minimum=0.0, maximum=1.0, help="First deviation of hand positions."
    )
    search_rotation: float = setting(
        0.05, unit="rad", minimum=0.0, maximum=3.2, help="First deviation of hand rotations."
    )
    search_width: float = setting(
        0.003, unit="m", minimum=0.0, maximum=1.0, help="First deviation of gripper widths."
    )
    search_elite: float = setting(
        0.25, minimum=0.01, maximum=1.0, help="Share of the motions that cem refits to."
    )
    search_temperature: float = setting(
        0.5, minimum=0.01, maximum=100.0,
        help="Difference of scores, of their deviation, that mppi takes for one e-fold.",
    )  # fmt: skip


class MotionSearch:
    """A Gaussian over how a motion is bent, without correlations.

    Attributes:
        mean: shape (knots, 2, 7); zeros are the proposal itself.
        spread: standard deviations, same shape.
        best: offsets of the best motion of the newest batch that had any, same shape.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        s = settings
        hand = [s.search_position] * 3 + [s.search_rotation] * 3 + [s.search_width]
        self._first = np.broadcast_to(hand, (s.search_knots, 2, HAND_OFFSET)).astype(float)
        self.mean, self.spread = np.zeros_like(self._first), self._first
        self.best = self.mean

    def ask(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Draw offsets, shape (count, knots, 2, 7): the proposal, the mean, the best, samples.

        What is simulated twice is dreamed twice, so only scores of one batch are to be compared:
        the best of the batch before has to show itself again.
        """
        noise = generator.standard_normal((count, *self.mean.shape))
        drawn: np.ndarray = self.mean + self.spread * noise
        drawn[:1] = 0.0
        drawn[1:2] = self.mean
        drawn[2:3] = self.best
        return drawn

    def tell(self, offsets: np.ndarray, scores: np.ndarray) -> None:
        """Move to where the good ones are.

        Args:
            offsets: as drawn, (N, knots, 2, 7).
            scores: higher is better, (N,); those that are no number were rejected.
        """
        usable = np.flatnonzero(np.isfinite(scores))
        if not len(usable):
            return
        offsets, scores = offsets[usable], scores[usable]
        self.best = offsets[scores.argmax()]
        if self._settings.search == "cem":
            count = max(1, round(self._settings.search_elite * len(scores)))
            elite = offsets[np.argsort(-scores, kind="stable")[:count]]
            self.mean = elite.mean(axis=0)
            self.spread = np.maximum(elite.std(axis=0), LEAST_SPREAD * self._first)
        else:
            unit = max(float(scores.std()), np.finfo(float).tiny)
            weight = np.exp((scores - scores.max()) / (self._settings.search_temperature * unit))
            self.mean = np.einsum("n,nkhp->khp", weight / weight.sum(), offsets)


def bend(targets: HandPoses, offsets: np.ndarray) -> HandPoses:
    """Return motions that leave a given one smoothly.

    Splines through the offsets at evenly spaced steps, the last of them the motion's last step;
    before the first step the offset is zero, since the hands are where they are.

    Args:
        targets: the motion, leading axes (H,).
        offsets: shape (N, knots, 2, 7): position, m, base frame; rotation vector, rad, tool frame;
            width, m, which never gets below zero.

    Returns:
        Leading axes (N, H).
    """
    count, knots = offsets.shape[:2]
    (steps,) = targets.lead
    at = np.linspace(0.0, steps, knots + 1)
    values = np.concatenate([np.zeros((count, 1, 2, HAND_OFFSET)), offsets], axis=1)
    curve = CubicSpline(at, values, axis=1, bc_type="natural")(np.arange(1, steps + 1))
    turn = Rotation.from_rotvec(curve[..., 3:6].reshape(-1, 3)).as_matrix()
    return HandPoses(
        targets.position + curve[..., :3],
        targets.rotation @ turn.reshape(count, steps, 2, 3, 3),
        np.maximum(targets.width + curve[..., 6], 0.0),
    )

"""From rejected dreams to a restart: how far each was good, and how the reason steers the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner.types import RejectionReason, Restart, Rollouts, Verdicts


@dataclass(frozen=True)
class Change:
    """How a dream that was rejected is dreamed anew; the noise itself is always another.

    Attributes:
        back: frames before the first bad step that go as well, in each round as many again: what
            goes wrong late may have been bound to since long.
        noise: factor of the model's noise scale; less is nearer to the usual dream.
        guidance: factor of the weight that the instruction has; not 1 costs another evaluation.
    """

    back: int = 0
    noise: float = 1.0
    guidance: float = 1.0


SMOOTHER = Change(back=4, noise=0.2)
AS_ASKED = Change(guidance=1.5)

#: Reasons that are not listed change nothing but the noise.
CHANGES: dict[RejectionReason, Change] = {
    RejectionReason.JOINT_VELOCITY: SMOOTHER,
    RejectionReason.JOINT_ACCELERATION: SMOOTHER,
    RejectionReason.JOINT_JERK: SMOOTHER,
    RejectionReason.WORKSPACE: AS_ASKED,
    RejectionReason.CYCLE_INCONSISTENT: AS_ASKED,
}


def restart(
    rollouts: Rollouts, verdicts: Sequence[Verdicts], rows: np.ndarray, round_number: int
) -> Restart:
    """Return what is kept of the rejected dreams, and what is changed about the rest.

    Args:
        rollouts: all K dreams.
        verdicts: of all filters; the first reason against a dream steers its change, the earliest
            bad step of all reasons ends what is kept. Nothing is kept where no step is to blame.
        rows: the rejected ones, (k,) indices.
        round_number: 1 for the first time that dreams are replaced.
    """
    horizon = rollouts.latents.shape[1]
    kept, noise, guidance = [], [], []
    for k in rows:
        against = [verdict for verdict in verdicts if not verdict.accepted[k]]
        change = CHANGES.get(against[0].reason, Change()) if against else Change()
        first_bad = min((int(verdict.first_bad_step[k]) for verdict in against), default=0)
        kept.append(min(max(first_bad - change.back * round_number, 0), horizon))
        noise.append(change.noise)
        guidance.append(change.guidance)
    return Restart(rollouts.latents[rows], np.array(kept), np.array(noise), np.array(guidance))

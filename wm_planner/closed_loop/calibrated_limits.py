"""Limits of what filters measure, from candidates of which it is known whether they can be done.

The limit of a measure is a quantile over executable candidates of every second episode, of rank
ceil((n + 1) (1 - a)) of n (split conformal prediction: Vovk, Gammerman and Shafer 2005,
"Algorithmic Learning in a Random World"). What it does is counted on the other episodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner.closed_loop.executability import TriedCandidate
from wm_planner.types import RejectionReason

REASONS = tuple(reason.value for reason in RejectionReason)


@dataclass(frozen=True)
class CalibratedLimit:
    """What a limit would do.

    Attributes:
        limit: largest acceptable value; NaN where there were too few candidates for one.
        executable: executable candidates of the other episodes, how many.
        executable_over: of these, over the limit: false rejections.
        others: those that are not executable, how many.
        others_over: of these, over the limit.
    """

    limit: float
    executable: int
    executable_over: int
    others: int
    others_over: int

    def text(self) -> str:
        """Say it in a few words."""
        if math.isnan(self.limit):
            return "too few"
        return (
            f"{self.limit:.3g}: over it {self.executable_over}/{self.executable} executable, "
            f"{self.others_over}/{self.others} others"
        )


def calibrate(
    episodes: Sequence[Sequence[TriedCandidate]],
    good: Callable[[TriedCandidate], bool],
    name: str,
    false_rejections: float,
) -> CalibratedLimit:
    """Calibrate one measure.

    Args:
        episodes: candidates of each; rejected ones, too.
        good: whether a candidate is executable.
        name: of what is known of each, where less is better. What is no number is over any limit.
        false_rejections: share of executable candidates that may be over the limit, a.
    """

    def measured(chosen: Sequence[Sequence[TriedCandidate]], wanted: bool) -> np.ndarray:
        found = [c.known[name] for episode in chosen for c in episode if good(c) is wanted]
        return np.nan_to_num(np.array(found, float), nan=np.inf)

    values = np.sort(measured(episodes[::2], True))
    rank = math.ceil((len(values) + 1) * (1.0 - false_rejections))
    limit = float(values[rank - 1]) if rank <= len(values) else math.nan
    executable, others = measured(episodes[1::2], True), measured(episodes[1::2], False)
    over = (int((~np.less_equal(found, limit)).sum()) for found in (executable, others))
    return CalibratedLimit(limit, len(executable), next(over), len(others), next(over))


def measured_by_filters(names: Sequence[str]) -> list[str]:
    """Return those names, as of `executability.known_of`, that a filter has a limit for."""
    return [name for name in names if name.split(" ")[-1] in REASONS]

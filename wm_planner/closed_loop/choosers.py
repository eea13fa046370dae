"""Who chooses among the accepted candidates: the planner, chance, or someone who tried them all.

Chance and the oracle bound what choosing is worth. They belong to the evaluation alone: no planner
may ask a simulator what will happen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from wm_planner.closed_loop.trials import Trial, Trials
from wm_planner.errors import UnknownNameError
from wm_planner.planner import PlanReport

CHOICES = ("best", "random", "oracle")
RANDOM_STREAM = 29  # apart from the planner's own draws on the same seed and stamp


class Chooser(ABC):
    """Chooses one of the accepted candidates."""

    @abstractmethod
    def choose(self, report: PlanReport, trials: Callable[[], Trials], seed: int) -> int:
        """Return the number of a candidate.

        Args:
            report: with at least one that was accepted.
            trials: begins trials from the present moment.
            seed: of the episode.
        """


class RandomChooser(Chooser):
    """Draws one, by the episode's seed and the frame's stamp."""

    def choose(self, report: PlanReport, trials: Callable[[], Trials], seed: int) -> int:
        """Return any of them."""
        generator = np.random.default_rng([seed, report.rollouts.start_ns, RANDOM_STREAM])
        return int(generator.choice(report.accepted))


class OracleChooser(Chooser):
    """Tries all of them in the simulator, and takes the one that comes nearest to success.

    Args:
        steps: how far each is tried.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def choose(self, report: PlanReport, trials: Callable[[], Trials], seed: int) -> int:
        """Return the best by `rank`; of equal ones the one with the best score."""
        here = trials()
        ranks = {
            int(k): (*rank(here.run(report.plan_of(int(k)), self._steps)), -report.total_score[k])
            for k in report.accepted
        }
        return min(ranks, key=lambda k: ranks[k])


def rank(trial: Trial) -> tuple[float, float]:
    """Return what an oracle sorts by, the smallest first.

    First the step from which on it succeeds to the end, as being done for one instant is not being
    done; then how much is left at the end, m. What the executor refuses comes last.
    """
    if trial.refusal:
        return np.inf, np.inf
    lasting = np.logical_and.accumulate(trial.succeeded[::-1])[::-1]
    return (float(np.argmax(lasting)) if lasting[-1] else np.inf), float(trial.way_left[-1])


def make_chooser(name: str, steps: int) -> Chooser | None:
    """Return one of `CHOICES`, None for the planner itself.

    Args:
        name: which.
        steps: how far an oracle tries candidates.
    """
    if name not in CHOICES:
        raise UnknownNameError("choice", name, CHOICES)
    others = {"random": RandomChooser(), "oracle": OracleChooser(steps)}
    return others.get(name)

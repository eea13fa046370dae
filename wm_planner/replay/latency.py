"""How long a replayed planner takes, in the recording's time: not at all, as recorded, or modelled.

While it thinks, frames come and only the newest of them waits, as in the node's mailbox.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wm_planner.settings import setting

KINDS = ("zero", "recorded", "modelled")


@dataclass(frozen=True)
class LatencySettings:
    """How long planning takes."""

    latency: str = setting(
        "zero",
        choices=KINDS,
        help="zero: every frame is looked at; recorded: looks and plans as the bag's own planner "
        "did, when it did; modelled: log-normal",
    )
    latency_median: float = setting(
        0.3, "s", 0.0, 60.0, "median time that a plan takes, where modelled"
    )
    latency_spread: float = setting(
        0.2, "", 0.0, 3.0, "standard deviation of the logarithm of that time, where modelled"
    )


class Latency(ABC):
    """When frames are looked at, and when what comes of it is there.

    Attributes:
        queues: whether a frame waits until the look before it is over.
    """

    queues = True

    def looks_at(self, stamp_ns: int) -> bool:
        """Whether the frame with this stamp is looked at, as far as time allows."""
        return True

    def rounds(self, stamp_ns: int) -> int | None:
        """How many batches of dreams there is time for; None for as many as are wanted."""
        return None

    @abstractmethod
    def done_ns(self, stamp_ns: int, now_ns: int, planned: bool) -> int:
        """Return when a look that begins now is over.

        Args:
            stamp_ns: of the frame.
            now_ns: clock of the recording.
            planned: whether a plan was due.
        """


class ZeroLatency(Latency):
    """Everything is there at once."""

    def done_ns(self, stamp_ns: int, now_ns: int, planned: bool) -> int:
        """Return now."""
        return now_ns


class RecordedLatency(Latency):
    """As the bag's own planner did: at its frames, which it took when it had time for them.

    Args:
        looked: when each look was over, by the stamp of its frame.
        rounds: how many batches of dreams were judged there, where that is known.
    """

    queues = False

    def __init__(self, looked: Mapping[int, int], rounds: Mapping[int, int]) -> None:
        self._looked, self._rounds = looked, rounds

    def looks_at(self, stamp_ns: int) -> bool:
        """Whether the recorded planner did."""
        return stamp_ns in self._looked

    def rounds(self, stamp_ns: int) -> int | None:
        """As many as the recorded planner had time for."""
        return self._rounds.get(stamp_ns)

    def done_ns(self, stamp_ns: int, now_ns: int, planned: bool) -> int:
        """Return when the recorded look was over, or now where that is past."""
        return max(now_ns, self._looked[stamp_ns])


class ModelledLatency(Latency):
    """Log-normal times for plans, drawn from seed and stamp alone; looks take none.

    Args:
        settings: median and spread.
        seed: of the run.
    """

    def __init__(self, settings: LatencySettings, seed: int) -> None:
        self._settings, self._seed = settings, seed

    def done_ns(self, stamp_ns: int, now_ns: int, planned: bool) -> int:
        """Return now plus the drawn time."""
        if not planned:
            return now_ns
        # A third number keeps these draws apart from the planner's own.
        draw = np.random.default_rng([self._seed, stamp_ns, 1]).standard_normal()
        seconds = self._settings.latency_median * np.exp(self._settings.latency_spread * draw)
        return now_ns + round(float(seconds) * 1e9)

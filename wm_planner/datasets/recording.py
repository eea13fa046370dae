"""A recording as it was made: joints, commands and pictures, each with times of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wm_planner.errors import DataError


@dataclass(frozen=True, eq=False)
class JointTrack:
    """N samples of both arms.

    Attributes:
        stamps_ns: increasing, shape (N,), int64.
        arms: shape (N, D), rad.
        width: of the grippers, shape (N, 2), m.
        velocity: shape (N, D), rad/s; None where nobody measured it.
    """

    stamps_ns: np.ndarray
    arms: np.ndarray
    width: np.ndarray
    velocity: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Pictures:
    """What one camera saw.

    Attributes:
        stamps_ns: increasing, shape (N,), int64.
        read: yields the pictures with these increasing numbers, each (h, w, 3) uint8 RGB; raises
            DataError where one of them does not decode.
    """

    stamps_ns: np.ndarray
    read: Callable[[np.ndarray], Iterator[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Recording:
    """Everything between the begin and the end of one task.

    Attributes:
        instruction: what was to be done; empty where nobody said.
        measured: joints.
        commanded: what they were told, in force from its time on; None where nobody recorded it.
        pictures: by camera of the rig.
        notes: what had to be repaired, a sentence each.
        success: whether the task was done at the end.
        kind: as in `wm_planner.datasets.episode.KINDS`.
    """

    instruction: str
    measured: JointTrack
    commanded: JointTrack | None
    pictures: Mapping[str, Pictures]
    notes: tuple[str, ...] = ()
    success: bool = True
    kind: str = "expert"


class Source(Protocol):
    """Where recordings come from: a dataset or a bag.

    Attributes:
        name: short, for messages.
        keys: of its recordings.
    """

    name: str
    keys: tuple[str, ...]

    def read(self, key: str) -> Recording:
        """Return a recording; raises DataError where it cannot be used."""
        ...


def newer(stamps_ns: np.ndarray) -> np.ndarray:
    """Return which stamps are later than all before them, shape (N,), bool."""
    stamps_ns = np.asarray(stamps_ns, np.int64)
    latest = np.maximum.accumulate(stamps_ns)
    return np.concatenate([[True], stamps_ns[1:] > latest[:-1]])[: len(stamps_ns)]


def check_range(
    arms: np.ndarray, lower: np.ndarray, upper: np.ndarray, names: Sequence[str]
) -> None:
    """Refuse joints that cannot be this robot's in radians.

    Args:
        arms: shape (N, D).
        lower: shape (D,), rad; -inf where there is no limit.
        upper: shape (D,), rad.
        names: D names.
    """
    beyond = np.maximum(np.median(arms, axis=0) - upper, lower - np.median(arms, axis=0))
    worst = int(np.argmax(beyond))
    if beyond[worst] > 0.5:
        value, ends = float(np.median(arms[:, worst])), f"{lower[worst]:.2f} to {upper[worst]:.2f}"
        raise DataError(f"{names[worst]} is at {value:.2f}, its limits are {ends} rad: degrees?")

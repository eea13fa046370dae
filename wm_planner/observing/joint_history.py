"""Joint states by time: what the joints were when a picture was taken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

LENGTH = 400  # 4 s at 100 Hz, more than any camera is late


@dataclass(frozen=True)
class JointSample:
    """Joints at one time.

    Attributes:
        stamp_ns: ROS clock.
        position: shape (D,), rad.
        velocity: shape (D,), rad/s.
        width: gripper openings, shape (2,), m.
    """

    stamp_ns: int
    position: np.ndarray
    velocity: np.ndarray
    width: np.ndarray


class JointHistory:
    """The newest joint samples, in the order of their stamps.

    Args:
        tolerance_s: how far beyond the oldest or newest sample a time may lie.
    """

    def __init__(self, tolerance_s: float = 0.1) -> None:
        self._tolerance_ns = round(tolerance_s * 1e9)
        self._samples: deque[JointSample] = deque(maxlen=LENGTH)

    def add(self, sample: JointSample) -> bool:
        """Take a sample; False where its stamp is not newer. A clock that was set back clears."""
        if self._samples and sample.stamp_ns <= self._samples[-1].stamp_ns:
            if self._samples[-1].stamp_ns - sample.stamp_ns < self._tolerance_ns:
                return False
            self._samples.clear()
        self._samples.append(sample)
        return True

    @property
    def newest(self) -> JointSample | None:
        """The newest sample, None before the first."""
        return self._samples[-1] if self._samples else None

    def at(self, stamp_ns: int) -> JointSample | None:
        """Return the joints at a time, linear between samples; None beyond the tolerance."""
        samples = list(self._samples)  # callbacks may append meanwhile
        if not samples:
            return None
        stamps = [sample.stamp_ns for sample in samples]
        after = int(np.searchsorted(stamps, stamp_ns))
        if after == 0 or after == len(samples):
            edge = samples[0] if after == 0 else samples[-1]
            return edge if abs(edge.stamp_ns - stamp_ns) <= self._tolerance_ns else None
        first, second = samples[after - 1], samples[after]
        if second.stamp_ns == stamp_ns:
            return second  # exactly, whatever came before it
        share = (stamp_ns - first.stamp_ns) / (second.stamp_ns - first.stamp_ns)

        def between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
            return one + share * (other - one)

        return JointSample(
            stamp_ns,
            between(first.position, second.position),
            between(first.velocity, second.velocity),
            between(first.width, second.width),
        )

"""What one topic of a bag is like: rate, gaps, skew, clock resets, pictures without content."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.errors import DataError
from wm_planner.messages.arrays import to_ns
from wm_planner.messages.images import image_from_compressed, image_from_message
from wm_planner.replay.bag import COMPRESSED_IMAGE, IMAGE, JOINT_STATE, Record

GAP_PERIODS = 5.0  # a silence longer than this many usual periods is a gap
LEAST_GAP_S = 0.25
RESET_S = 1.0  # a stamp this far behind the one before: the clock was set back
DARK = 8.0  # mean brightness of 255 below which a picture shows nothing
SAMPLES = 40  # pictures of each camera that are looked at
HEADER_BYTES = 16  # the stamp is in them, whether ROS 1 or 2 wrote it


@dataclass(frozen=True)
class TopicStatistics:
    """One topic.

    Attributes:
        topic: its name.
        type: its ROS 2 type.
        count: messages.
        rate_hz: by the median period of recording; 0 with fewer than two messages.
        gaps: begin and length of silences, s from the bag's first message.
        skew_s: median of recorded minus stamped time, None without stamps.
        jitter_s: 95th percentile of its deviation from the median, None without stamps.
        clock_resets: how often stamps or recording times jump back.
        unsorted: messages recorded before the one that precedes them, other than by a reset.
        damaged: messages that do not unpack, and joint states without finite positions for all.
        size: height and width of pictures, px, None of others.
        dark_share: share of pictures looked at that show nothing; 0 of others.
        frozen_share: share of pictures that equal the one before; 0 of others.
        joint_names: of joint states.
        joint_range: lowest and highest position by joint name.
    """

    topic: str
    type: str
    count: int
    rate_hz: float
    gaps: tuple[tuple[float, float], ...]
    skew_s: float | None
    jitter_s: float | None
    clock_resets: int
    unsorted: int
    damaged: int
    size: tuple[int, int] | None
    dark_share: float
    frozen_share: float
    joint_names: tuple[str, ...]
    joint_range: dict[str, tuple[float, float]]


class TopicObserver:
    """Takes the messages of one topic in the order of recording.

    Args:
        topic: its name.
        kind: its type.
        expected: messages that the bag announces, to choose pictures evenly.
    """

    def __init__(self, topic: str, kind: str, expected: int) -> None:
        self._topic, self._type = topic, kind
        self._every = max(1, expected // SAMPLES)
        self._is_picture = kind in (IMAGE, COMPRESSED_IMAGE)
        self._log: list[int] = []
        self._stamps: list[int] = []
        self._damaged = self._dark = self._looked = self._frozen = 0
        self._checksum: int | None = None
        self._size: tuple[int, int] | None = None
        self._range: dict[str, tuple[float, float]] = {}

    def add(self, record: Record, unpack: Callable[[Record], Any]) -> None:
        """Take one message; pictures are unpacked and decoded only where they are sampled."""
        self._log.append(record.log_ns)
        if self._is_picture:
            checksum = zlib.crc32(record.data[HEADER_BYTES:])
            self._frozen += checksum == self._checksum
            self._checksum = checksum
        try:
            message = unpack(record)
            header = getattr(message, "header", None)
            if header is not None and to_ns(header.stamp):
                self._stamps.append(to_ns(header.stamp) - record.log_ns)
            if self._is_picture and (len(self._log) - 1) % self._every == 0:
                self._look(message)
            if self._type == JOINT_STATE:
                self._range_of(message)
        except DataError:
            self._damaged += 1

    def finish(self, begin_ns: int) -> TopicStatistics:
        """Return what was found; `begin_ns` is the bag's first recording time."""
        log = np.array(self._log, np.int64)
        offsets = np.array(self._stamps, np.int64)
        steps = np.diff(log) * 1e-9
        usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
        silent = steps > max(GAP_PERIODS * usual, LEAST_GAP_S)
        gaps = zip((log[:-1][silent] - begin_ns) * 1e-9, steps[silent], strict=True)
        resets = int((steps < -RESET_S).sum())
        if len(offsets) == len(log):
            resets = max(resets, int((np.diff(log + offsets) < -RESET_S * 1e9).sum()))
        skew = 0.0 - float(np.median(offsets)) * 1e-9 if len(offsets) else None
        spread = np.abs(offsets * 1e-9 + (skew or 0.0))
        return TopicStatistics(
            topic=self._topic,
            type=self._type,
            count=len(log),
            rate_hz=1.0 / usual if usual else 0.0,
            gaps=tuple((round(float(at), 3), round(float(length), 3)) for at, length in gaps),
            skew_s=skew,
            jitter_s=float(np.percentile(spread, 95)) if len(offsets) else None,
            clock_resets=resets,
            unsorted=int(((steps < 0) & (steps >= -RESET_S)).sum()),
            damaged=self._damaged,
            size=self._size,
            dark_share=self._dark / max(self._looked, 1),
            frozen_share=self._frozen / max(len(log) - 1, 1),
            joint_names=tuple(self._range),
            joint_range=self._range,
        )

    def _look(self, message: Any) -> None:
        compressed = self._type == COMPRESSED_IMAGE
        image = image_from_compressed(message) if compressed else image_from_message(message)
        self._size = (image.shape[0], image.shape[1])
        self._looked += 1
        self._dark += bool(image.mean() < DARK)

    def _range_of(self, message: Any) -> None:
        if len(message.position) != len(message.name) or not np.isfinite(message.position).all():
            self._damaged += 1
            return
        for name, position in zip(message.name, message.position, strict=False):
            low, high = self._range.get(name, (np.inf, -np.inf))
            self._range[name] = (float(min(low, position)), float(max(high, position)))

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
BLIND_S = 1.0  # so long black or frozen, and a camera is said to be
RESET_S = 1.0  # a stamp this far behind the one before: the clock was set back
DARK = 8.0  # mean brightness of 255 below which a picture shows nothing
SAMPLES = 40  # pictures of each camera that are looked at
HEADER_BYTES = 16  # the stamp is in them, whether ROS 1 or 2 wrote it

Stretch = tuple[float, float]  # begin and length of a time, s


@dataclass(frozen=True)
class TopicStatistics:
    """One topic.

    Attributes:
        topic: its name.
        type: its ROS 2 type.
        count: messages.
        rate_hz: by the median period of recording; 0 with fewer than two messages.
        gaps: begin and length of silences, s from the bag's first message, where fewer than two
            messages tell no rate none; those before the first message and after the last count.
        skew_s: median of recorded minus stamped time, None without stamps.
        jitter_s: 95th percentile of its deviation from the median, None without stamps.
        clock_resets: how often stamps or recording times jump back.
        unsorted: messages recorded before the one that precedes them, other than by a reset.
        damaged: messages that do not unpack, and joint states without finite positions for all.
        size: height and width of pictures, px, None of others.
        black: begin and length of times in which pictures show nothing, as far as looked at.
        frozen: the same of times in which every picture equals the one before.
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
    black: tuple[Stretch, ...]
    frozen: tuple[Stretch, ...]
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
        self._damaged = 0
        self._dark: list[tuple[int, bool]] = []  # time of recording; of pictures looked at
        self._same: list[tuple[int, bool]] = []  # as the one before; of all pictures
        self._checksum: int | None = None
        self._size: tuple[int, int] | None = None
        self._range: dict[str, tuple[float, float]] = {}

    def add(self, record: Record, unpack: Callable[[Record], Any]) -> None:
        """Take one message; pictures are unpacked and decoded only where they are sampled."""
        self._log.append(record.log_ns)
        if self._is_picture:
            checksum = zlib.crc32(record.data[HEADER_BYTES:])
            self._same.append((record.log_ns, checksum == self._checksum))
            self._checksum = checksum
        try:
            message = unpack(record)
            header = getattr(message, "header", None)
            if header is not None and to_ns(header.stamp):
                self._stamps.append(to_ns(header.stamp) - record.log_ns)
            if self._is_picture and (len(self._log) - 1) % self._every == 0:
                self._look(record.log_ns, message)
            if self._type == JOINT_STATE:
                self._range_of(message)
        except DataError:
            self._damaged += 1

    def finish(self, begin_ns: int, end_ns: int) -> TopicStatistics:
        """Return what was found; the bag was recorded from `begin_ns` to `end_ns`."""
        log = np.array(self._log, np.int64)
        offsets = np.array(self._stamps, np.int64)
        steps = np.diff(log) * 1e-9
        usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
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
            gaps=_gaps(log, usual, begin_ns, end_ns),
            skew_s=skew,
            jitter_s=float(np.percentile(spread, 95)) if len(offsets) else None,
            clock_resets=resets,
            unsorted=int(((steps < 0) & (steps >= -RESET_S)).sum()),
            damaged=self._damaged,
            size=self._size,
            black=_blind(self._dark, begin_ns),
            frozen=_blind(self._same, begin_ns),
            joint_names=tuple(self._range),
            joint_range=self._range,
        )

    def _look(self, log_ns: int, message: Any) -> None:
        compressed = self._type == COMPRESSED_IMAGE
        image = image_from_compressed(message) if compressed else image_from_message(message)
        self._size = (image.shape[0], image.shape[1])
        self._dark.append((log_ns, bool(image.mean() < DARK)))

    def _range_of(self, message: Any) -> None:
        if len(message.position) != len(message.name) or not np.isfinite(message.position).all():
            self._damaged += 1
            return
        for name, position in zip(message.name, message.position, strict=False):
            low, high = self._range.get(name, (np.inf, -np.inf))
            self._range[name] = (float(min(low, position)), float(max(high, position)))


def _gaps(log: np.ndarray, usual_s: float, begin_ns: int, end_ns: int) -> tuple[Stretch, ...]:
    """Silences, those before the first and after the last message included."""
    if not usual_s:
        return ()
    times = np.array([begin_ns, *log, end_ns], np.int64)
    steps = np.diff(times) * 1e-9
    silent = steps > max(GAP_PERIODS * usual_s, LEAST_GAP_S)
    begins = (times[:-1][silent] - begin_ns) * 1e-9
    return tuple(_stretch(at, length) for at, length in zip(begins, steps[silent], strict=True))


def _blind(pictures: list[tuple[int, bool]], begin_ns: int) -> tuple[Stretch, ...]:
    """Times, from the first such picture to the next that is not, or to the last one."""
    found, since_ns = [], None
    for log_ns, blind in pictures:
        if blind and since_ns is None:
            since_ns = log_ns
        elif not blind and since_ns is not None:
            found.append((since_ns, log_ns))
            since_ns = None
    if since_ns is not None:
        found.append((since_ns, pictures[-1][0]))
    stretches = [_stretch((one - begin_ns) * 1e-9, (end - one) * 1e-9) for one, end in found]
    return tuple(stretch for stretch in stretches if stretch[1] >= BLIND_S)


def _stretch(begin_s: float, length_s: float) -> Stretch:
    return round(float(begin_s), 3), round(float(length_s), 3)

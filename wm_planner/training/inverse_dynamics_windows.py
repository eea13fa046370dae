"""Windows of frames with the hand poses and commands that inverse dynamics is to read off them.

A frame is a latent, or an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wm_planner.training.source import EpisodeSource

WIDTHS = np.array([9, 19])  # of the 20-D packed poses


class Frames(Protocol):
    """Frames by their numbers: an array, images on disk, or pictures that are decoded first."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return frames by numbers of shape (N,)."""


@dataclass(frozen=True, eq=False)
class FrameSequences:
    """F frames in E sequences, real or dreamed.

    Attributes:
        frames: Shape (F, tokens, channels), or images (F, h, w, 3).
        hand_pose: Shape (F, 20), packed measured hand poses.
        hand_target: Shape (F, 20), packed targets commanded at each frame for the next; those of
            a sequence's last frame are not looked at.
        offsets: Shape (E + 1,): sequence e is frames offsets[e] to offsets[e + 1] - 1.
        kind: E names.
    """

    frames: Frames
    hand_pose: np.ndarray
    hand_target: np.ndarray
    offsets: np.ndarray
    kind: np.ndarray

    @staticmethod
    def of_source(source: EpisodeSource, frames: Frames) -> FrameSequences:
        """Recorded episodes with latents or images of their frames."""
        return FrameSequences(
            frames, source.hand_pose.astype(np.float32), source.hand_target.astype(np.float32),
            np.asarray(source.offsets), np.asarray(source.kind),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class FrameWindows:
    """B windows of W frames.

    Attributes:
        frames: Shape (B, W, tokens, channels), float32, or images (B, W, h, w, 3), uint8.
        pose: Shape (B, W, 20), packed.
        command: Shape (B, W - 1, 20), packed.
        there: Shape (B, W - 1), bool: the sequence has that pair of frames; windows that are
            longer than their sequence are filled up with its last frame.
        commanded: Shape (B, W - 1, 20), bool: the command is known.
    """

    frames: np.ndarray
    pose: np.ndarray
    command: np.ndarray
    there: np.ndarray
    commanded: np.ndarray


class WindowDrawer:
    """Draws windows around pairs of frames, of which some kinds may count for more."""

    def __init__(
        self, sequences: FrameSequences, window: int, chosen: np.ndarray | None = None,
        anywhere_share: float | None = None,
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            sequences: what to draw from.
            window: W, at least 2.
            chosen: which sequences, shape (E,), bool; None for all.
            anywhere_share: share of the windows that show hands where no task takes them: play
                and stills. None draws every frame as often as any other.
        """
        self._from, self._window = sequences, window
        length = np.diff(sequences.offsets)
        self._sequence = np.repeat(np.arange(len(length)), length)
        usable = np.ones(len(self._sequence), bool)
        usable[sequences.offsets[1:] - 1] = False
        # A still is a window of its own: nothing leads from one to the next.
        self._still = (sequences.kind == "stills")[self._sequence]
        usable |= self._still
        if chosen is not None:
            usable &= chosen[self._sequence]
        anywhere = self._still | (sequences.kind == "play")[self._sequence]
        groups = [np.flatnonzero(usable & anywhere), np.flatnonzero(usable & ~anywhere)]
        if anywhere_share is None or not (len(groups[0]) and len(groups[1])):
            self._groups, self._share = [np.flatnonzero(usable)], np.array([1.0])
        else:
            self._groups = groups
            self._share = np.array([anywhere_share, 1 - anywhere_share])

    def draw(self, generator: np.random.Generator, batch: int) -> FrameWindows:
        """Draw windows, each around one pair of frames that may be anywhere in it."""
        counts = generator.multinomial(batch, self._share)
        middle = np.concatenate([
            group[generator.integers(len(group), size=count)]
            for group, count in zip(self._groups, counts, strict=True)
        ])  # fmt: skip
        data, still = self._from, self._still[middle]
        first = data.offsets[self._sequence[middle]]
        end = data.offsets[self._sequence[middle] + 1]
        start = middle - generator.integers(self._window - 1, size=batch)
        start = np.clip(start, first, np.maximum(end - self._window, first))
        frame = start[:, None] + np.arange(self._window)
        frame = np.where(still[:, None], middle[:, None], np.minimum(frame, end[:, None] - 1))
        there = (np.diff(frame, axis=1) > 0) | still[:, None]
        command = data.hand_target[frame[:, :-1]]
        commanded = np.repeat(there[..., None], command.shape[-1], axis=2)
        # A hand that stays was told to stay; how hard it was told to close is not to be seen.
        commanded[np.ix_(still, np.arange(self._window - 1), WIDTHS)] = False
        frames = data.frames[frame.ravel()]
        return FrameWindows(
            frames=frames.reshape(*frame.shape, *frames.shape[1:]),
            pose=data.hand_pose[frame],
            command=command,
            there=there,
            commanded=commanded,
        )

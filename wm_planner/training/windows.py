"""Windows of latents, targets and conditions, drawn from whole episodes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from wm_planner.actions import HAND_SIZE, WIDTH
from wm_planner.training.hand_images import HandImages
from wm_planner.training.source import EpisodeSource
from wm_planner.training.vocabulary import multi_hot

UNKNOWN, SUCCESS, FAILURE = 0, 1, 2


@dataclass(frozen=True)
class WindowBatch:
    """B windows of T past and H future frames.

    Attributes:
        latents: Shape (B, T + H, tokens, channels), float32.
        targets: Shape (B, H, 20), packed hand targets due at each future frame.
        words: Shape (B, V), of the episode's instruction.
        outcome: Shape (B,): UNKNOWN for play, else whether all commands in the future were good
            and the episode succeeded in the end.
        goal: Shape (B, tokens, channels): a later frame of the same episode.
        goal_good: Shape (B,), bool: that frame was reached on purpose.
        gripper_width: Shape (B, T, 2), m, measured on the past frames, left and right.
        frame: Shape (B, T + H), numbers of the frames in the source.
        missed: Shape (B,), bool: the newest past frame shows a hand that goes on to where something
            was, in an episode of near misses.
        hands: Shape (B, H, 2, h, w), uint8, the targets drawn; None where nobody draws them.
    """

    latents: np.ndarray
    targets: np.ndarray
    words: np.ndarray
    outcome: np.ndarray
    goal: np.ndarray
    goal_good: np.ndarray
    gripper_width: np.ndarray
    frame: np.ndarray
    missed: np.ndarray
    hands: np.ndarray | None = None


class Windows:
    """Draws windows. Past an episode's end its last frame and target are repeated.

    Some windows are asked for a task whose objects are not there. Their future is to stay as they
    are: a model that never saw such a request does whatever else the scene suggests.
    """

    def __init__(
        self, source: EpisodeSource, latents: np.ndarray, vocabulary: tuple[str, ...],
        context_frames: int, horizon: int, impossible: float = 0.0,
        hands: HandImages | None = None, outcomes: bool = True,
        without_kinds: Collection[str] = (), turns: float = 0.0,
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            source: the data.
            latents: Shape (F, tokens, channels), of the same frames.
            vocabulary: words that instructions are read by.
            context_frames: T.
            horizon: H.
            impossible: share of windows that are asked for what the scene does not hold.
            hands: the targets of all frames, drawn; None where they are not shown.
            outcomes: whether windows say how they went; UNKNOWN otherwise.
            without_kinds: kinds of episodes to leave out.
            turns: share of windows, in episodes with a mistake, that begin where it begins to be
                mended. There are few such frames, and they decide how an episode ends.
        """
        self._latents, self._targets = latents, source.hand_target.astype(np.float32)
        self._hands = hands
        self._poses = source.hand_pose.astype(np.float32)
        self._offsets = np.asarray(source.offsets)
        self._length = np.diff(self._offsets)
        episode = np.repeat(np.arange(len(self._length)), self._length)
        self._words = multi_hot(source.instruction, vocabulary)
        kind = np.asarray(source.kind)
        # Stills are unrelated frames: nothing leads from one to the next.
        self._usable = np.flatnonzero(~np.isin(kind, ["stills", *without_kinds]))
        self._untold = (kind == "play") | (not outcomes)
        self._success = np.asarray(source.success, bool)
        bad = ~np.asarray(source.step_good, bool)
        self._missed = (kind == "near_miss")[episode] & bad
        # An expert that tried and failed is no example of success, whatever it meant to do.
        bad |= ((kind == "failure") | ~self._success)[episode]
        self._bad_before = np.concatenate([[0], np.cumsum(bad)])
        self._turns, self._last_turn = turns, _last_turns(bad, self._offsets)
        self._past, self._future = context_frames, horizon
        self._impossible_share, self._impossible = impossible, _impossible_requests(source)

    def draw(self, generator: np.random.Generator, batch: int) -> WindowBatch:
        """Draw windows: every episode is equally likely, and every frame of it.

        Drawn by frame, long tasks would crowd out short ones. One window in eight starts at an
        episode's first frame with its context repeated, which is how the planner starts.
        """
        episode = self._usable[generator.integers(len(self._usable), size=batch)]
        first, length = self._offsets[episode], self._length[episode]
        newest = generator.integers(length)
        at = np.where(generator.random(batch) < 0.125, 0, np.minimum(newest, length - 3))
        turn = self._last_turn[episode]
        turning = (generator.random(batch) < self._turns) & (turn > 0)
        at = np.where(turning, np.minimum(turn + generator.integers(3, size=batch), length - 3), at)
        words = self._words[episode]
        resting = np.zeros(batch, bool)
        for row in np.flatnonzero(generator.random(batch) < self._impossible_share):
            requests = self._impossible[episode[row]]
            if len(requests):
                task = requests[generator.integers(len(requests))]
                words[row] = self._words[generator.choice(task)]
                # Arms rest on an episode's first and last frame: see one of them again and again.
                at_end = generator.random() < 0.5
                first[row] += (length[row] - 1) * at_end
                at[row], length[row], resting[row] = 0, 1, not at_end
        steps = np.arange(1 - self._past, self._future + 1)
        frame = first[:, None] + np.clip(at[:, None] + steps, 0, length[:, None] - 1)
        # The target commanded at frame k is due at frame k + 1.
        before = np.clip(at[:, None] + steps[self._past :] - 1, 0, length[:, None] - 1)
        last = first + np.minimum(at + self._future, length - 1)
        bad = self._bad_before[last] - self._bad_before[first + at] > 0
        later = first + generator.integers(np.minimum(at + 3, length - 1), length)
        end = first + length - 1
        goal = np.where(generator.random(batch) < 0.6, end, later)
        targets = self._targets[first[:, None] + before]
        # The first frame's target is under way already; the last one's is to stay.
        targets[resting] = self._poses[first[resting], None]
        hands = None
        if self._hands:
            hands = self._hands.of_frames[first[:, None] + before]
            hands[resting] = self._hands.draw(targets[resting])
        return WindowBatch(
            latents=self._latents[frame].astype(np.float32),
            targets=targets,
            words=words,
            outcome=np.where(self._untold[episode], UNKNOWN, np.where(bad, FAILURE, SUCCESS)),
            goal=self._latents[goal].astype(np.float32),
            goal_good=self._success[episode] & ~bad,
            gripper_width=gripper_widths(self._poses[frame[:, : self._past]]),
            frame=frame,
            missed=self._missed[frame[:, self._past - 1]],
            hands=hands,
        )


def gripper_widths(poses: np.ndarray) -> np.ndarray:
    """Return both hands' widths, (..., 2), of packed poses (..., 20)."""
    return np.asarray(poses[..., [WIDTH, HAND_SIZE + WIDTH]], np.float32)


def _last_turns(bad: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Of every episode, the last frame whose step is good after one that is not; 0: none is."""
    turns = np.flatnonzero(bad[:-1] & ~bad[1:]) + 1
    last = np.zeros(len(offsets) - 1, int)
    episode = np.searchsorted(offsets, turns, side="right") - 1
    inside = turns > offsets[episode]  # not from one episode to the next
    np.maximum.at(last, episode[inside], (turns - offsets[episode])[inside])
    return last


def _impossible_requests(source: EpisodeSource) -> list[list[np.ndarray]]:
    """For every episode and each task that its scene cannot satisfy, the episodes that ask for it.

    A task needs the objects that are there in all of its episodes.
    """
    seen = np.asarray(source.object_visible, bool)[np.asarray(source.offsets[:-1])]
    task, asked = np.asarray(source.task), np.asarray(source.instruction) != ""
    asking = {name: np.flatnonzero((task == name) & asked) for name in sorted(set(task[asked]))}
    needs = {name: seen[episodes].all(0) for name, episodes in asking.items()}
    by_scene: dict[bytes, list[np.ndarray]] = {}
    for scene in seen:
        if scene.tobytes() not in by_scene:
            by_scene[scene.tobytes()] = [asking[n] for n in asking if (needs[n] & ~scene).any()]
    return [by_scene[scene.tobytes()] for scene in seen]

"""Where objects are, read from latents: on ordinary and near-miss frames, real and dreamed.

On a near miss a hand is beside an object that was moved away; see `wm_planner.rigs.near_misses`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner.open_loop.dreams import Dreams
from wm_planner.open_loop.figures import LOWER, Figure
from wm_planner.open_loop.object_probe import FitProbe, Probe, distance_mm
from wm_planner.open_loop.windows import NEAR_MISS, Recording, Windows

FAMILY = "Objects, read from latents by a probe"
TEST_EVERY = 3  # of the ordinary episodes; the probe is fitted on the others
BESIDE_M = 0.08  # nearer than this, a hand is beside an object
MOVED_M = 0.02  # further than this from where it was in the last frame seen
LEAST_COUNT = 20  # a percentile of fewer says little
NEAR_OBJECT = "cube"
REAL, NEAR, DREAMED, NEAR_DREAMED = "real", "near miss, real", "dreamed", "near miss, dreamed"
DREAMED_MOVED = "dreamed, moved"
AT_FRAMES = (8, 16)  # of a dream, from 1, as far as it goes
GUESSED, BY_HANDS, COPIED = "mean position", "from the hands alone", "last frame read"


@dataclass(frozen=True, eq=False)
class Frames:
    """F frames that a probe is fitted or tested on.

    Attributes:
        latents: shape (F, D), flat.
        recording: where they come from.
    """

    latents: np.ndarray
    recording: Recording

    @property
    def kind(self) -> np.ndarray:
        """Kind of each frame's episode, shape (F,)."""
        return self.recording.kind[self.episode]

    @property
    def episode(self) -> np.ndarray:
        """Shape (F,)."""
        count = len(self.recording.kind)
        return np.repeat(np.arange(count), np.diff(self.recording.episode_offsets))

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return an object's position (F, 3), m, and in which frames it is there (F,)."""
        if name not in self.recording.object_names:
            return np.zeros((len(self.latents), 3)), np.zeros(len(self.latents), bool)
        column = self.recording.object_names.index(name)
        position = self.recording.object_position[:, column].astype(np.float64)
        return position, self.recording.object_visible[:, column]


@dataclass(frozen=True, eq=False)
class Dreamed:
    """Windows of one recording and what was dreamed of them."""

    windows: Windows
    dreams: Dreams


def is_test_episode(recording: Recording) -> np.ndarray:
    """Return which episodes the probe is never fitted on, shape (E,), bool."""
    ordinary = recording.kind != NEAR_MISS
    return ~ordinary | ((np.cumsum(ordinary) - 1) % TEST_EVERY == 0)


def object_figures(
    held_out: Frames,
    extra: Sequence[Frames],
    ordinary: Dreamed,
    near: Dreamed | None,
    fit: FitProbe,
    seed: int,
    progress: Callable[[], None],
) -> tuple[list[Figure], dict[str, dict[str, np.ndarray]]]:
    """Fit a probe for every object and measure it.

    Args:
        held_out: the data that is measured on; two thirds of its ordinary episodes are fitted on.
        extra: more frames to fit on.
        ordinary: windows of ordinary episodes.
        near: windows of near misses.
        fit: fits the probes.
        seed: of the probes.
        progress: called after each object.

    Returns:
        The figures, and the errors in mm behind them by object and by REAL, NEAR and so on.
    """
    tested = is_test_episode(held_out.recording)[held_out.episode]
    errors: dict[str, dict[str, np.ndarray]] = {}
    figures = []
    for name in held_out.recording.object_names:
        position, there = held_out.of(name)
        fitted = ~tested & there
        inputs, hands, wanted = (
            [values[fitted]]
            for values in (held_out.latents, held_out.recording.hand_pose, position)
        )
        for more in extra:
            elsewhere, present = more.of(name)
            inputs.append(more.latents[present])
            hands.append(more.recording.hand_pose[present])
            wanted.append(elsewhere[present])
        probe = fit(np.concatenate(inputs), np.concatenate(wanted), seed)
        guess = fit(np.concatenate(hands), np.concatenate(wanted), seed)
        progress()
        if probe is None or guess is None:
            continue
        still = tested & there & (held_out.kind != NEAR_MISS)
        cases = {REAL: _on_frames(probe, guess, held_out, name, still)}
        if name == NEAR_OBJECT:
            cases[NEAR] = _on_frames(probe, guess, held_out, name, beside(held_out, name))
        for case, dreamed in ((DREAMED, ordinary), (NEAR_DREAMED, near)):
            if dreamed is not None and (case == DREAMED or name == NEAR_OBJECT):
                cases |= _on_dreams(probe, held_out, name, case, dreamed)
        for case, found in cases.items():
            figures += _figures(f"{name}, {case}", found)
        errors[name] = {
            case: found["probe"] for case, found in cases.items() if len(found["probe"])
        }
    return figures, errors


def beside(frames: Frames, name: str) -> np.ndarray:
    """Return the near-miss frames in which a hand is beside the moved object, shape (F,)."""
    position, there = frames.of(name)
    hands = frames.recording.hand_pose.reshape(-1, 2, 10)[..., :3]
    near = np.linalg.norm(hands - position[:, None], axis=-1).min(axis=1) < BESIDE_M
    return (frames.kind == NEAR_MISS) & ~frames.recording.step_good & there & near


def _on_frames(
    probe: Probe, guess: Probe, frames: Frames, name: str, chosen: np.ndarray
) -> dict[str, np.ndarray]:
    wanted = frames.of(name)[0][chosen]
    return {
        "probe": distance_mm(_read(probe, frames.latents[chosen]), wanted),
        GUESSED: distance_mm(probe.mean, wanted),
        BY_HANDS: distance_mm(_read(guess, frames.recording.hand_pose[chosen]), wanted),
    }


def _on_dreams(
    probe: Probe, frames: Frames, name: str, case: str, dreamed: Dreamed
) -> dict[str, dict[str, np.ndarray]]:
    """Return the cases of one object in dreams with actions given.

    They are all frames, those in which it has moved, and single ones.
    """
    rows = is_test_episode(frames.recording)[dreamed.windows.episode]
    windows, dreams = dreamed.windows.take(rows), dreamed.dreams
    position, there = frames.of(name)
    future = windows.at[:, -windows.horizon :]
    before = windows.at[:, -windows.horizon - 1]
    wanted = position[future]  # (B, H, 3)
    seen = there[future]
    read = _read(probe, _flat(dreams.acted, 2)[rows])
    last = _read(probe, _flat(dreams.newest, 1)[rows])[:, None]
    idle = _read(probe, _flat(dreams.idle, 2)[rows])
    all_of = {
        "probe": distance_mm(read, wanted),
        COPIED: distance_mm(last, wanted),
        "no action, no task": distance_mm(idle, wanted),
    }
    number = np.broadcast_to(np.arange(windows.horizon) + 1, seen.shape)
    moved = seen & (np.linalg.norm(wanted - position[before][:, None], axis=-1) > MOVED_M)
    cases = {case: {key: value[seen] for key, value in all_of.items()}}
    chosen = {DREAMED_MOVED: moved} if case == DREAMED else {}
    chosen |= {f"{case}, frame {n}": seen & (number == n) for n in AT_FRAMES}
    for label, which in chosen.items():
        cases[label] = {key: value[which] for key, value in all_of.items()}
    return cases


def _flat(latents: np.ndarray, lead: int) -> np.ndarray:
    """Latents as probes read them: everything behind the leading axes in one."""
    return latents.reshape(*latents.shape[:lead], int(np.prod(latents.shape[lead:])))


def _read(probe: Probe, inputs: np.ndarray) -> np.ndarray:
    return probe.read(inputs) if inputs.size else np.zeros((*inputs.shape[:-1], 3))


def _figures(what: str, found: Mapping[str, np.ndarray]) -> list[Figure]:
    count = len(found["probe"])
    if count < LEAST_COUNT:
        return []
    figures = []
    for label, percent in (("median", 50), ("95th percentile", 95)):
        mm = {name: float(np.percentile(errors, percent)) for name, errors in found.items()}
        value = mm.pop("probe")
        figures.append(Figure(FAMILY, f"{what}, {label}", "mm", value, LOWER, count, mm))
    return figures

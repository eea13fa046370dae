"""All figures about a pair of models on one recorded dataset, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wm_planner import actions, images
from wm_planner.open_loop import picture_figures as kinds
from wm_planner.open_loop.command_figures import (
    averaging_figures,
    calibration_figures,
    command_figures,
    path_figures,
)
from wm_planner.open_loop.diversity import diversity_figures
from wm_planner.open_loop.dreams import BATCH, Dreams, decode, dream, encode
from wm_planner.open_loop.figures import Figure
from wm_planner.open_loop.models import Models, Reader, window_sizes
from wm_planner.open_loop.object_figures import Dreamed, Frames, object_figures
from wm_planner.open_loop.object_probe import FitProbe
from wm_planner.open_loop.picture_figures import Curves, Perceptual, picture_figures
from wm_planner.open_loop.recording_margins import (
    COPIED,
    paths_without_dreams,
    recording_margins,
)
from wm_planner.open_loop.steering import (
    GRID,
    CrossSwap,
    cross_swap,
    goal_figures,
    ratio_figures,
    task_figures,
)
from wm_planner.open_loop.windows import (
    Recording,
    Windows,
    WindowSizes,
    draw_windows,
    near_miss_windows,
)
from wm_planner.settings import setting
from wm_planner.world_models.world_model import WorldModel

FREE_DRAWS = 8
REAL_TASK, REAL_PLAY = "real task frames", "real play frames"
REAL_FAILURE, RECONSTRUCTED = "real failure frames", "reconstructed frames"
ACTED, FREE = "dreams with actions given", "free dreams"

Stage = Callable[[str, int], Callable[[], None]]
"""Announces a piece of work and its number of steps; returns what to call after each step."""


@dataclass(frozen=True)
class OpenLoopSettings:
    """How much is measured."""

    windows: int = setting(128, minimum=2, maximum=100_000, help="Windows to dream.")
    seed: int = setting(0, minimum=0, help="Of windows, noise and probes.")


@dataclass(frozen=True, eq=False)
class OpenLoopResult:
    """Figures, and what the pictures of the report show.

    Attributes:
        figures: in the order of the table.
        margins: of free dreams' paths, see `recording_margins`.
        curves: of the pictures, by frame.
        calibration: coverage by source and part of the action.
        object_errors: mm, by object and case.
        swap: the grid of swapped actions.
        strips: pictures of one window, (H, h, w, 3) uint8, by kind.
        dt: spacing of frames, s.
        notes: what was left out, and why.
    """

    figures: list[Figure]
    margins: dict[str, Any]
    curves: Curves
    calibration: dict[str, dict[str, np.ndarray]]
    object_errors: dict[str, dict[str, np.ndarray]]
    swap: CrossSwap
    strips: dict[str, np.ndarray]
    dt: float
    notes: list[str] = field(default_factory=list)


def evaluate_models(
    recording: Recording,
    models: Models,
    settings: OpenLoopSettings,
    perceptual: Perceptual | None,
    fit: FitProbe | None,
    probe_recordings: Sequence[Recording],
    stage: Stage,
) -> OpenLoopResult:
    """Measure everything that the data allow.

    Args:
        recording: episodes that the models were not trained on.
        models: both models.
        settings: how much.
        perceptual: a perceptual distance of pictures, or None.
        fit: fits object probes, or None.
        probe_recordings: more episodes to fit object probes on, none of them in ``recording``.
        stage: for progress.
    """
    model, seed = models.world_model, settings.seed
    sizes = window_sizes(recording, model)
    windows = draw_windows(recording, sizes, settings.windows, np.random.default_rng([seed, 0]))
    dreams = dream(model, windows, FREE_DRAWS, seed, stage("dreams", len(windows)))
    pictures, newest, truth = _pictures(model, windows, dreams)
    shown, curves = picture_figures(
        pictures, truth, newest, windows.asked, perceptual, stage("pictures", len(pictures))
    )
    read = Reader(models.inverse_dynamics, model, seed)
    commands, calibration = _command_figures(windows, dreams, models, read)
    steered, swap = _steering_figures(windows, dreams, model, read, seed)
    objects, object_errors, notes = _object_figures(
        recording, probe_recordings, Dreamed(windows, dreams), model, sizes, fit, seed, stage
    )
    if perceptual is None:
        notes.append("no perceptual distance: it needs the [lpips] extra")
    if not windows.asked.any():
        notes.append("no figures of free dreams: no window of an episode that did what it was told")
    elif len(set(windows.task[windows.instruction != ""])) < 2:
        notes.append("no wrong task: the dataset has only one, and it was asked for instead")
    return OpenLoopResult(
        figures=[*shown, *steered, *commands, *objects],
        margins=_margins(recording, windows, dreams, read),
        curves=curves,
        calibration=calibration,
        object_errors=object_errors,
        swap=swap,
        strips=_strips(windows, pictures, truth),
        dt=model.spec.dt,
        notes=notes,
    )


def _pictures(
    model: WorldModel, windows: Windows, dreams: Dreams
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return decoded pictures by kind, the newest past frames, and what came."""
    truth = windows.images[:, -windows.horizon :]
    newest = windows.images[:, -windows.horizon - 1]
    latents = {
        kinds.RECONSTRUCTED: dreams.real,
        kinds.ACTED: dreams.acted,
        kinds.FREE: dreams.free[:, 0],
        kinds.IDLE: dreams.idle,
        kinds.OTHER: dreams.shuffled,
        kinds.WRONG: dreams.wrong,
    }
    pictures = {name: decode(model, values, newest) for name, values in latents.items()}
    for name, alone in kinds.ALONE.items():
        pictures[alone] = decode(model, latents[name])
    pictures[kinds.COPY] = np.repeat(newest[:, None], windows.horizon, axis=1)
    return pictures, newest, truth


def _command_figures(
    windows: Windows, dreams: Dreams, models: Models, read: Reader
) -> tuple[list[Figure], dict[str, dict[str, np.ndarray]]]:
    real = read.recorded(windows, dreams.real, dreams.newest)
    again = read.reconstructed(windows, dreams.real, dreams.newest)
    acted = read(windows, dreams.acted, dreams.newest)
    free = read(windows, dreams.free[:, 0], dreams.newest)
    play, failure = windows.kind == "play", windows.kind == "failure"
    targets = {
        REAL_TASK: real.targets, REAL_PLAY: real.targets, REAL_FAILURE: real.targets,
        RECONSTRUCTED: again.targets, ACTED: acted.targets, FREE: free.targets,
    }  # fmt: skip
    chosen = {
        REAL_TASK: ~play & ~failure, REAL_PLAY: play, REAL_FAILURE: failure,
        RECONSTRUCTED: np.ones_like(play), ACTED: np.ones_like(play), FREE: windows.asked,
    }  # fmt: skip
    figures = command_figures(windows, targets, chosen)
    averaging = Reader(models.averaging, read.world_model, read.seed)
    for source, averaged, once in (
        ("real", averaging.recorded(windows, dreams.real, dreams.newest), real),
        (ACTED, averaging(windows, dreams.acted, dreams.newest), acted),
    ):
        figures += averaging_figures(
            windows, source, averaged.targets, once.targets, models.averaging_draws
        )
    figures += path_figures(windows, targets, chosen)
    stated, curves = calibration_figures(windows, {"real frames": real, ACTED: acted})
    return figures + stated, curves


def _margins(
    recording: Recording, windows: Windows, dreams: Dreams, read: Reader
) -> dict[str, Any]:
    asked = np.flatnonzero(windows.asked)
    if not len(asked):
        return {}
    some, newest = windows.take(asked), dreams.newest[asked]
    copied = np.repeat(newest[:, None], some.horizon, axis=1)
    return recording_margins(
        some, read(some, dreams.free[asked, 0], newest).targets.position,
        {**paths_without_dreams(some), COPIED: read(some, copied, newest).targets.position},
        recording.recording[some.episode], recording.recording_names, read.seed,
    )  # fmt: skip


def _steering_figures(
    windows: Windows, dreams: Dreams, model: WorldModel, read: Reader, seed: int
) -> tuple[list[Figure], CrossSwap]:
    figures, diversity = ratio_figures(dreams, windows.asked), []
    asked = np.flatnonzero(windows.asked)
    if len(asked):
        some, first = windows.take(asked), dreams.newest[asked]
        draws = [
            read(some, dreams.free[asked, k], first).targets for k in range(dreams.free.shape[1])
        ]
        wrong = read(some, dreams.wrong[asked], first).targets
        idle = read(some, dreams.idle[asked], first).targets
        towards = read(some, dreams.towards[asked], first).targets
        figures += task_figures(some, draws[0], wrong, idle) + goal_figures(some, towards, idle)
        diversity = diversity_figures(
            dreams.free[asked], dreams.real[asked],
            np.stack([draw.position for draw in draws], axis=1),
            actions.unpack(some.targets).position,
        )  # fmt: skip
    # One window of each task first, then more, so that the grid shows different scenes.
    order = np.lexsort((np.arange(len(windows)), _rank_within(windows.task)))[:GRID]
    swapped, grid = cross_swap(model, read, windows.take(order), dreams.newest[order], seed)
    return [*figures, *swapped, *diversity], grid


def _rank_within(names: np.ndarray) -> np.ndarray:
    """Return how many equal names come before each, shape (B,)."""
    return np.array([int((names[:i] == name).sum()) for i, name in enumerate(names)])


def _object_figures(
    recording: Recording, extra: Sequence[Recording], ordinary: Dreamed, model: WorldModel,
    sizes: WindowSizes, fit: FitProbe | None, seed: int, stage: Stage,
) -> tuple[list[Figure], dict[str, dict[str, np.ndarray]], list[str]]:  # fmt: skip
    if not recording.object_names:
        return [], {}, ["no object probe: the dataset has no positions of objects"]
    if fit is None:
        return [], {}, ["no object probe: it needs the [train] extra"]
    notes = []
    near = None
    windows = near_miss_windows(recording, sizes)
    if windows is None:
        notes.append("no near misses: record some with `wm-planner collect --kinds near_miss`")
    else:
        step = stage("dreams of near misses", len(windows))
        near = Dreamed(windows, dream(model, windows, 2, seed, step))
    frames = _probe_frames(model, recording, sizes, stage)
    more = [_probe_frames(model, other, sizes, stage) for other in extra]
    step = stage("object probes", len(recording.object_names))
    figures, errors = object_figures(frames, more, ordinary, near, fit, seed, step)
    if not figures:
        notes.append("no object probe: too few frames to fit it on")
    return figures, errors, notes


def _probe_frames(
    model: WorldModel, recording: Recording, sizes: WindowSizes, stage: Stage
) -> Frames:
    shown = images.fit(recording.frames(sizes.camera), *sizes.image_size)
    latents = encode(model, shown, stage("latents", -(-len(shown) // BATCH)))
    return Frames(latents.reshape(len(latents), -1), recording)


def _strips(
    windows: Windows, pictures: dict[str, np.ndarray], truth: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the pictures of the window in which most moves, of those with a known task."""
    rows = np.flatnonzero(windows.asked) if windows.asked.any() else np.arange(len(windows))
    change = np.abs(truth[rows, -1].astype(np.int16) - pictures[kinds.COPY][rows, -1])
    row = int(rows[change.reshape(len(rows), -1).mean(axis=1).argmax()])
    return {
        "real": truth[row],
        "reconstructed": pictures[kinds.RECONSTRUCTED][row],
        "actions given": pictures[kinds.ACTED][row],
        "free dream": pictures[kinds.FREE][row],
        "no task": pictures[kinds.IDLE][row],
    }

"""Whether dreams follow what they are told: the actions, the task, and a goal picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.open_loop.dreams import Dreams, act, decode
from wm_planner.open_loop.figures import HIGHER, LOWER, Figure
from wm_planner.open_loop.hand_errors import position_mm
from wm_planner.open_loop.inversion import Inverted, standing_still
from wm_planner.open_loop.windows import Windows
from wm_planner.types import HandPoses
from wm_planner.world_models.world_model import WorldModel

FAMILY = "Steering"
IGNORED = "if it were ignored"
GRID = 5
Read = Callable[[Windows, np.ndarray, np.ndarray], Inverted]
"""Inverse dynamics: windows, latents of their futures and of their newest frames to commands."""


def ratio_figures(dreams: Dreams, asked: np.ndarray) -> list[Figure]:
    """Return how much worse dreams get, in latents, under the wrong actions or task.

    Args:
        dreams: of B windows.
        asked: shape (B,), windows whose task is known.
    """

    def error(latents: np.ndarray, rows: np.ndarray) -> float:
        return float(np.square(latents[rows] - dreams.real[rows]).mean())

    every = np.ones(len(asked), bool)
    cases = [
        ("action-shuffle ratio", dreams.shuffled, dreams.acted, every),
        ("no-action ratio", dreams.idle, dreams.acted, every),
        ("wrong-task ratio", dreams.wrong, dreams.free[:, 0], asked),
        ("no-task ratio", dreams.idle, dreams.free[:, 0], asked),
    ]
    return [
        Figure(
            FAMILY, name, "", error(wrong, rows) / error(right, rows), HIGHER, int(rows.sum()),
            {IGNORED: 1.0},
        )
        for name, wrong, right, rows in cases
        if rows.any()
    ]  # fmt: skip


def task_figures(
    windows: Windows, free: HandPoses, wrong: HandPoses, idle: HandPoses
) -> list[Figure]:
    """Return how far from the recorded ones the hands are at the end of dreams of a task.

    Args:
        windows: B windows whose task is known.
        free: commands read off dreams of the task, leading axes (B, H).
        wrong: the same of another task.
        idle: the same of no task.
    """
    others = {"wrong task": wrong, "no task": idle}
    return [_hands_at_the_end("free dream", windows, free, others)]


def goal_figures(windows: Windows, towards: HandPoses, idle: HandPoses) -> list[Figure]:
    """Return the same of dreams that were shown the window's last picture as their goal.

    Args:
        windows: B windows that went well.
        towards: commands read off those dreams, leading axes (B, H).
        idle: the same of dreams without a goal or task.
    """
    return [_hands_at_the_end("dream towards a picture", windows, towards, {"no goal": idle})]


def _hands_at_the_end(
    name: str, windows: Windows, read: HandPoses, others: Mapping[str, HandPoses]
) -> Figure:
    truth = actions.unpack(windows.targets)[:, -1]
    value, *rest = (
        float(position_mm(poses[:, -1], truth).mean())
        for poses in (read, *others.values(), standing_still(windows))
    )
    baselines = dict(zip((*others, "standing still"), rest, strict=True))
    return Figure(
        FAMILY, f"hands at the end of a {name}", "mm", value, LOWER, 2 * len(windows), baselines
    )


@dataclass(frozen=True, eq=False)
class CrossSwap:
    """Dreams that start like window A and act like window B, N x N.

    Attributes:
        first: newest past frames of the windows, (N, h, w, 3) uint8.
        last: what came at their ends, the same.
        dreamed: last frames of the dreams, (N, N, h, w, 3): row A, column B.
    """

    first: np.ndarray
    last: np.ndarray
    dreamed: np.ndarray


def cross_swap(
    model: WorldModel,
    read: Read,
    windows: Windows,
    newest: np.ndarray,
    seed: int,
) -> tuple[list[Figure], CrossSwap]:
    """Swap actions between windows.

    Args:
        model: the world model.
        read: inverse dynamics.
        windows: N windows.
        newest: latents of their newest past frames, (N, *latent_shape).
        seed: of the dreams.
    """
    count = len(windows)
    rows = [
        act(model, windows, a, list(range(count)), np.random.default_rng([seed, 4, a]))
        for a in range(count)
    ]
    latents = np.stack(rows).astype(np.float32)  # (A, B, H, ...)
    context = windows.images.shape[1] - windows.horizon
    first = windows.images[:, context - 1]
    grid = CrossSwap(
        first=first, last=windows.images[:, -1], dreamed=decode(model, latents[:, :, -1], first)
    )
    a, b = (index.ravel() for index in np.indices((count, count)))
    swapped = a != b
    a, b = a[swapped], b[swapped]
    reached = read(windows.take(a), latents[a, b], newest[a]).targets
    truth = actions.unpack(windows.targets)
    value, own = (float(position_mm(reached, truth[rows]).mean()) for rows in (b, a))
    name = "hands follow another window's actions"
    figure = Figure(
        FAMILY, name, "mm", value, LOWER, 2 * len(a) * windows.horizon, {"own actions": own}
    )
    return ([figure] if len(a) else []), grid

"""The dreams that the figures are about, drawn through the interface that the planner uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.open_loop.windows import Windows, others_instruction
from wm_planner.types import ActionChunks, Goal
from wm_planner.world_models.world_model import WorldModel

BATCH = 64
Progress = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Dreams:
    """Latents of B windows, (B, H, *latent_shape) float32 unless said otherwise.

    Attributes:
        newest: of the newest past frame, (B, *latent_shape).
        real: of the recorded future.
        acted: dreamed with the actions that were executed.
        shuffled: dreamed with the actions of another window.
        idle: dreamed with neither actions nor a task.
        free: dreamed with the task alone, (B, K, H, *latent_shape). Without an instruction, as
            `idle`.
        wrong: dreamed with the instruction of another task.
        towards: dreamed with the window's last picture as the goal, and no instruction.
    """

    newest: np.ndarray
    real: np.ndarray
    acted: np.ndarray
    shuffled: np.ndarray
    idle: np.ndarray
    free: np.ndarray
    wrong: np.ndarray
    towards: np.ndarray


def dream(model: WorldModel, windows: Windows, draws: int, seed: int, progress: Progress) -> Dreams:
    """Dream all of it; the noise of window b comes from (seed, b).

    Args:
        model: the world model.
        windows: B of them.
        draws: K free dreams a window, at least 2.
        seed: of all randomness.
        progress: called after each window.
    """
    wrong = others_instruction(windows, np.random.default_rng([seed, 1]))
    context = windows.images.shape[1] - windows.horizon
    real = encode(model, windows.images[:, context - 1 :])
    parts: dict[str, list[np.ndarray]] = {
        name: [] for name in ("acted", "shuffled", "idle", "free", "wrong", "towards")
    }
    for b, seen in enumerate(windows.seen):
        generator = np.random.default_rng([seed, 2, b])
        with_actions = act(model, windows, b, [b, (b + 1) % len(windows)], generator)
        parts["acted"].append(with_actions[0])
        parts["shuffled"].append(with_actions[1])
        own = Goal(str(windows.instruction[b]) or None)
        for name, goal, count in (
            ("idle", Goal(), 1),
            ("free", own, draws),
            ("wrong", Goal(wrong[b] or None), 1),
        ):
            latents = model.imagine(seen, goal, count, generator).latents
            parts[name].append(latents if name == "free" else latents[0])
        picture, drawn = Goal(image=windows.images[b, -1]), np.random.default_rng([seed, 5, b])
        parts["towards"].append(model.imagine(seen, picture, 1, drawn).latents[0])
        progress()
    stacked = {name: np.stack(rows).astype(np.float32) for name, rows in parts.items()}
    return Dreams(newest=real[:, 0], real=real[:, 1:], **stacked)


def act(
    model: WorldModel, windows: Windows, b: int, others: list[int], generator: np.random.Generator
) -> np.ndarray:
    """Dream window b with the hand targets of windows ``others``, (len(others), H, ...)."""
    start = actions.unpack(windows.hand_pose[b])
    targets = actions.unpack(windows.targets[others])
    chain = actions.difference(start, targets)
    chunks = ActionChunks(
        actions=chain,
        variance=np.zeros_like(chain),
        dt=windows.seen[b].dt,
        start_ns=windows.seen[b].newest_stamp_ns,
        bundle_hash=model.spec.bundle_hash,
    )
    return model.simulate(windows.seen[b], start, chunks, generator).latents


def encode(model: WorldModel, frames: np.ndarray, progress: Progress = lambda: None) -> np.ndarray:
    """Encode images (..., h, w, 3) a batch at a time, (..., *latent_shape) float32."""
    flat = frames.reshape(-1, *frames.shape[-3:])
    parts = []
    for start in range(0, len(flat), BATCH):
        parts.append(model.encode(flat[start : start + BATCH]))
        progress()
    return np.concatenate(parts).reshape(*frames.shape[:-3], *model.spec.latent_shape)


def decode(model: WorldModel, latents: np.ndarray, scenes: np.ndarray | None = None) -> np.ndarray:
    """Decode a batch at a time.

    Args:
        model: the world model.
        latents: shape (..., *latent_shape).
        scenes: of each of the first axis, the newest frame observed, (len(latents), h, w, 3);
            None to go by the latents alone.

    Returns:
        Shape (..., h, w, 3), uint8.
    """
    shape = model.spec.latent_shape
    lead = latents.shape[: latents.ndim - len(shape)]
    if scenes is not None:
        rows = (one.reshape(-1, *shape) for one in latents)
        parts = [model.decode(*one) for one in zip(rows, scenes, strict=True)]
    else:
        flat = latents.reshape(-1, *shape)
        parts = [model.decode(flat[i : i + BATCH]) for i in range(0, len(flat), BATCH)]
    images = np.concatenate(parts)
    return images.reshape(*lead, *images.shape[1:])

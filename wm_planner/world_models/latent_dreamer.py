"""Draws futures from a causal denoiser graph, which remembers frames by their keys and values.

The observed frames are looked at once, for all candidates and all steps of the sampler. Future
frames are dreamed together, or one after the other, each on finished ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wm_planner.onnx_session import OnnxSession
from wm_planner.types import Restart
from wm_planner.world_models.guidance import guidance_terms
from wm_planner.world_models.sampler import denoise

#: A finished frame is remembered with a little noise, as the frames before were in training
#: (Diffusion Forcing, Chen et al. 2024, section 3.3): what was dreamed is not believed entirely.
REMEMBERED_SIGNAL = 0.95
PER_FRAME = ("targets", "targets_given", "hands")


class LatentDreamer:
    """Samples from one denoiser graph."""

    def __init__(self, graph: OnnxSession) -> None:
        """Read from the graph what it takes."""
        self._graph = graph
        shapes = {tensor.name: tensor.shape for tensor in graph.spec.inputs}
        self._takes_stride = "stride" in shapes  # a shortcut model
        self._memory_shape = [0 if isinstance(n, str) else n for n in shapes["memory"][1:]]

    def dream(
        self, context: np.ndarray, conditions: Mapping[str, np.ndarray], noise: np.ndarray,
        signals: np.ndarray, guidance: Mapping[str, float | np.ndarray],
        frame_by_frame: bool = False, restart: Restart | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Dream K futures of H frames.

        Args:
            context: Shape (T, *latent_shape), observed, newest last.
            conditions: the graph's conditions by name, K rows each; those in `PER_FRAME` have one
                entry a frame, (K, H, ...).
            noise: Shape (K, H, *latent_shape).
            signals: levels of evaluation, rising from 0.
            guidance: weight of each condition, see `guidance_terms`.
            frame_by_frame: whether to finish each frame before the next.
            restart: dreams whose first frames stay as they are; None to dream all of it.

        Returns:
            Latents of the shape of ``noise``.
        """
        terms = guidance_terms(conditions, guidance)
        rows = {k: np.concatenate([term.conditions[k] for term in terms]) for k in conditions}
        count = len(noise)
        weights = np.stack([np.broadcast_to(term.weight, count) for term in terms])
        memory = self._look(context, [term.conditions for term in terms], count)
        known, kept = np.zeros_like(noise), np.zeros(noise.shape[:2], bool)
        if restart is not None:
            known, kept = restart.latents.astype(np.float32), restart.kept_frames
        kept = kept.reshape(*kept.shape, *[1] * (noise.ndim - 2))  # (K, H, 1...)
        asked = _Asked(self, rows, context, weights.astype(np.float32), memory, known, kept)
        if not frame_by_frame:
            return asked.finish(noise, signals)
        frames = []
        for h in range(noise.shape[1]):
            fresh = noise[:, h : h + 1]
            frames.append(asked.finish(fresh, signals))
            asked.remember(
                REMEMBERED_SIGNAL * frames[-1] + np.float32(1 - REMEMBERED_SIGNAL) * fresh
            )
        return np.concatenate(frames, 1)

    def run(self, stride: np.ndarray, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate the graph once."""
        if self._takes_stride:
            inputs["stride"] = stride
        return self._graph.run(**inputs)

    def _look(
        self, context: np.ndarray, terms: list[Mapping[str, np.ndarray]], candidates: int
    ) -> np.ndarray:
        """Keys and values of the observed frames; candidates that are told the same share them."""
        parts = []
        past = len(context)
        for term in terms:
            whole = {name: value for name, value in term.items() if name not in PER_FRAME}
            if all((value == value[:1]).all() for value in whole.values()):
                whole = {name: value[:1] for name, value in whole.items()}
            rows = len(next(iter(whole.values())))
            nothing = {
                name: np.zeros((rows, past, *value.shape[2:]), np.float32)
                for name, value in term.items()
                if name in PER_FRAME
            }
            own = self.run(
                np.zeros((rows, past), np.float32),
                latents=np.broadcast_to(context, (rows, *context.shape)),
                newest=np.broadcast_to(context[-1], (rows, *context.shape[1:])),
                signal=np.ones((rows, past), np.float32),
                first=np.zeros(rows, np.int64),
                memory=np.zeros((rows, *self._memory_shape), np.float32),
                **nothing,
                **whole,
            )["own"]
            parts.append(np.repeat(own, candidates // rows, 0))
        return np.concatenate(parts)


class _Asked:
    """One request: what is fixed while the sampler runs, and the memory, which grows."""

    def __init__(
        self, dreamer: LatentDreamer, rows: dict[str, np.ndarray], context: np.ndarray,
        weights: np.ndarray, memory: np.ndarray, known: np.ndarray, kept: np.ndarray,
    ) -> None:  # fmt: skip
        self._dreamer, self._rows, self._weights = dreamer, rows, weights
        self._memory, self._past, self._first = memory, len(context), len(context)
        self._newest = np.broadcast_to(context[-1], (len(memory), *context.shape[1:]))
        self._known, self._kept = known, kept

    def finish(self, noise: np.ndarray, signals: np.ndarray) -> np.ndarray:
        """From noise (K, F, *latent_shape) to the next F frames."""
        h = self._first - self._past
        known, kept = (part[:, h : h + noise.shape[1]] for part in (self._known, self._kept))
        if kept.all():
            return known
        flat = kept.reshape(kept.shape[:2])

        def predict_clean(noisy: np.ndarray, signal: float, stride: float) -> np.ndarray:
            noisy = np.where(kept, known, noisy)
            levels, strides = np.where(flat, 1.0, signal), np.where(flat, 0.0, stride)
            clean = self._evaluate(noisy, levels, strides)["clean"]
            clean = np.einsum("tk,tk...->k...", self._weights, clean.reshape(-1, *noisy.shape))
            return np.where(kept, known, clean)

        return denoise(predict_clean, noise, signals)

    def remember(self, frames: np.ndarray) -> None:
        """Take F frames (K, F, *latent_shape) as past."""
        level = np.full(frames.shape[:2], REMEMBERED_SIGNAL)
        own = self._evaluate(frames, level, np.zeros_like(level))["own"]
        self._memory = np.concatenate([self._memory, own], 4)
        self._first += frames.shape[1]

    def _evaluate(
        self, latents: np.ndarray, signal: np.ndarray, stride: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Evaluate the graph on F frames (K, F, ...) at their levels and strides (K, F)."""
        terms = len(self._weights)
        count, frames = len(self._memory), latents.shape[1]
        h = self._first - self._past
        now = {
            name: value[:, h : h + frames] if name in PER_FRAME else value
            for name, value in self._rows.items()
        }
        return self._dreamer.run(
            np.tile(stride, (terms, 1)).astype(np.float32),
            latents=np.concatenate([latents] * terms),
            newest=self._newest,
            signal=np.tile(signal, (terms, 1)).astype(np.float32),
            first=np.full(count, self._first),
            memory=self._memory,
            **now,
        )

"""What a network makes of a few fixed windows of its training data, drawn now and then.

Curves do not show what is wrong with a dream. Nothing here touches the random numbers of the
training: with and without samples it ends in the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from wm_planner.films import page, write_film, write_picture
from wm_planner.training.autoencoder_training import encode_all
from wm_planner.training.dreaming import decode, decode_over, dream
from wm_planner.training.loop import DrawFunction, Sampling
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.training.windows import SUCCESS, UNKNOWN, WindowBatch, Windows

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run

FRAMES, WINDOWS = 6, 4
DRAWN = 64  # windows to choose from
SHOWN = 6  # frames of a window in the png
COLUMNS = ("real", "reconstructed", "actions given", "free dream")


def sampling_of(run: Run, stage: str) -> Sampling | None:
    """What to draw while a stage trains; None for nothing."""
    every = run.settings.samples_every * run.settings.checkpoint_every
    drawing: dict[str, Callable[[Run], DrawFunction]] = {
        "autoencoder": AutoencoderSamples, "denoiser": DenoiserSamples,
        "scene_decoder": SceneDecoderSamples,
    }  # fmt: skip
    return Sampling(every, drawing[stage](run)) if every and stage in drawing else None


class AutoencoderSamples:
    """Frames above their reconstructions, ``samples/autoencoder_step_000500.png``."""

    def __init__(self, run: Run) -> None:
        frames = run.source.frames
        some = np.linspace(0, len(frames) - 1, FRAMES).astype(int)
        self._folder, self._frames = run.folder / "samples", np.array(frames[some])

    def __call__(self, model: nn.Module, step: int) -> np.ndarray:
        """Write the picture, and return it."""
        assert isinstance(model, Autoencoder)
        latents = encode_all(model, self._frames).astype(np.float32)
        pictures = page(
            [list(self._frames), list(decode(model, latents[:, None]))],
            names=("original", "reconstruction"), captions=(f"autoencoder, step {step}",),
        )  # fmt: skip
        write_picture(self._folder / f"autoencoder_step_{step:06d}.png", pictures)
        return pictures


class DenoiserSamples:
    """Windows as they were beside their dreams, ``samples/step_000500.mp4`` and ``.png``."""

    def __init__(self, run: Run) -> None:
        s = self._settings = run.settings
        self._folder, self._hands = run.folder / "samples", run.hand_renderer()
        self._autoencoder = run.load("autoencoder")
        self._over = run.load("scene_decoder") if run.finished("scene_decoder") else None
        windows = Windows(run.source, run.latents, run.vocabulary, s.context_frames, s.horizon)
        self._drawn = windows.draw(np.random.default_rng([s.seed, 17]), DRAWN)
        first = np.searchsorted(run.source.offsets, self._drawn.frame[:, 0], side="right") - 1
        self._rows = various([run.source.task[e] for e in first], self._drawn, WINDOWS)
        self._asked = [run.source.instruction[e] or "(nothing asked)" for e in first[self._rows]]
        frame = self._drawn.frame[self._rows]
        self._real = run.source.frames[frame.ravel()].reshape(
            *frame.shape, *run.source.frames.shape[1:]
        )

    def __call__(self, model: nn.Module, step: int) -> np.ndarray:
        """Write both files, and return the png's picture."""
        assert isinstance(model, Denoiser)
        films = self._films(model)
        count, past = films[0].shape[1], self._settings.context_frames
        seconds = (np.arange(count) - past + 1) * self._settings.dt_s
        words = [f"{'seen' if t < past else 'dreamed'}, {seconds[t]:+.1f} s" for t in range(count)]
        write_film(
            self._folder / f"step_{step:06d}.mp4",
            (
                page(
                    [[film[row, t] for film in films] for row in range(len(self._asked))],
                    COLUMNS, self._asked, (f"step {step}, {words[t]}",),
                )
                for t in range(count)
            ),
            1 / self._settings.dt_s,
        )  # fmt: skip
        at = np.unique(np.linspace(past - 1, count - 1, SHOWN).astype(int))
        still = page(
            [film[row, at] for row in range(len(self._asked)) for film in films],
            [words[t] for t in at],
            [name for asked in self._asked for name in (f"{asked}\n\n{COLUMNS[0]}", *COLUMNS[1:])],
            (f"step {step}",),
        )
        write_picture(self._folder / f"step_{step:06d}.png", still)
        return still

    def _films(self, model: Denoiser) -> list[np.ndarray]:
        """For each of `COLUMNS`, shape (windows, T + H, h, w, 3)."""
        drawn, s = self._drawn, self._settings
        latents, targets = drawn.latents[self._rows], drawn.targets[self._rows]
        words, context = drawn.words[self._rows], latents[:, : s.context_frames]
        noise = torch.Generator().manual_seed(s.seed)
        free = SUCCESS if s.outcomes else UNKNOWN
        dreams = [
            dream(model, context, asked, targets, given, outcome, s.denoising_steps, noise,
                  self._hands, drawn.gripper_width[self._rows])
            for asked, given, outcome in ((np.zeros_like(words), 1.0, UNKNOWN), (words, 0.0, free))
        ]  # fmt: skip
        shown = [latents, *(np.concatenate([context, dreamed], 1) for dreamed in dreams)]
        decoded = [self._decode(film.astype(np.float32)) for film in shown]
        return [self._real, *(film.reshape(self._real.shape) for film in decoded)]

    def _decode(self, film: np.ndarray) -> np.ndarray:
        """Over the newest frame seen, where a finished network can."""
        newest = self._settings.context_frames - 1
        if isinstance(self._over, SceneDecoder):
            return decode_over(self._over, film, self._real[:, newest], film[:, newest])
        assert isinstance(self._autoencoder, Autoencoder)
        return decode(self._autoencoder, film)


class SceneDecoderSamples:
    """Last frames of windows, ``samples/scene_decoder_step_000500.png``: what was seen before them,
    what came, and the same latents decoded alone and over what was seen.
    """

    def __init__(self, run: Run) -> None:
        s = run.settings
        self._folder, autoencoder = run.folder / "samples", run.load("autoencoder")
        assert isinstance(autoencoder, Autoencoder)
        windows = Windows(run.source, run.latents, run.vocabulary, s.context_frames, s.horizon)
        drawn = windows.draw(np.random.default_rng([s.seed, 17]), DRAWN)
        # Those in which most changes say most.
        latents = drawn.latents[:, [s.context_frames - 1, -1]]
        change = np.abs(latents[:, 1] - latents[:, 0]).mean(axis=(1, 2))
        rows = np.argsort(-change)[:FRAMES]
        frame = drawn.frame[rows]
        self._seen, self._came = (
            run.source.frames[frame[:, at]] for at in (s.context_frames - 1, -1)
        )
        self._before, self._latents = latents[rows, 0], latents[rows, 1:]
        self._alone = decode(autoencoder, self._latents)

    def __call__(self, model: nn.Module, step: int) -> np.ndarray:
        """Write the picture, and return it."""
        assert isinstance(model, SceneDecoder)
        over = decode_over(model, self._latents, self._seen, self._before)
        pictures = page(
            [list(row) for row in (self._seen, self._came, self._alone, over)],
            names=("seen before", "came", "decoded alone", "over what was seen"),
            captions=(f"scene decoder, step {step}",),
        )
        write_picture(self._folder / f"scene_decoder_step_{step:06d}.png", pictures)
        return pictures


def various(tasks: list[str], drawn: WindowBatch, count: int) -> np.ndarray:
    """Rows to show, shape (count,): windows that went well, of as many tasks as there are."""
    order = np.argsort(drawn.outcome != SUCCESS, kind="stable")
    firsts = [order[[tasks[row] for row in order].index(task)] for task in dict.fromkeys(
        tasks[row] for row in order
    )]  # fmt: skip
    return np.array([*firsts, *(row for row in order if row not in firsts)])[:count]

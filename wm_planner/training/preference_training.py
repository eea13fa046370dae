"""Training of the preference head on pairs of futures, recorded or labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wm_planner.errors import DataError
from wm_planner.training.autoencoder_training import encode_all
from wm_planner.training.devices import device_of, half_precision, put
from wm_planner.training.judging import Outcomes
from wm_planner.training.loop import LossFunction
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.preference import Preference
from wm_planner.training.source import EpisodeSource
from wm_planner.training.vocabulary import multi_hot

MOMENTS = (0.4, 1.0)  # of an episode's length: before, failures look like successes
NOISE = 0.2  # largest deviation of the noise on latents, which are of unit variance


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Two futures that somebody compared.

    Attributes:
        better: Shape (n, h, w, 3), uint8, of the autoencoder's size; the newest last.
        worse: the same of the other one.
        instruction: what was asked for.
    """

    better: np.ndarray
    worse: np.ndarray
    instruction: str


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """P pairs of futures that somebody compared.

    Attributes:
        better: Shape (P, frames, tokens, channels), latents of the last frames.
        worse: the same of the other one.
        instruction: P sentences.
    """

    better: np.ndarray
    worse: np.ndarray
    instruction: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.instruction)


def encode_pairs(
    labels: Sequence[LabelledPictures], autoencoder: Autoencoder, frames: int
) -> LabelledPairs:
    """Look at the last frames; the first one is repeated where there are too few."""
    sides = []
    for name in ("better", "worse"):
        pictures = np.concatenate([
            getattr(label, name)[np.maximum(np.arange(-frames, 0), -len(getattr(label, name)))]
            for label in labels
        ])  # fmt: skip
        sides.append(encode_all(autoencoder, pictures))
    better, worse = (side.reshape(len(labels), frames, *side.shape[1:]) for side in sides)
    return LabelledPairs(better, worse, tuple(label.instruction for label in labels))


class PairDrawer:
    """Draws pairs of which one is better.

    Half of those from recorded episodes are a success and a failure of the same task, at the same
    share of their lengths; half are two moments of one success, the later one being better where
    all commands between them were good.

    Args:
        source: the episodes.
        latents: Shape (F, tokens, channels), of their frames.
        vocabulary: the words.
        frames: of a future to look at.
        labelled: further pairs; None for none.
        share: of these in a batch.
    """

    def __init__(
        self, source: EpisodeSource, latents: np.ndarray, vocabulary: tuple[str, ...],
        frames: int, labelled: LabelledPairs | None = None, share: float = 0.0,
    ) -> None:  # fmt: skip
        self._outcomes, self._latents, self._frames = Outcomes(source), latents, frames
        self._words = multi_hot(source.instruction, vocabulary)
        self._labelled, self._share = labelled, share if labelled else 0.0
        if labelled:
            self._labelled_words = multi_hot(labelled.instruction, vocabulary)
        if not len(self._outcomes.succeeded) and self._share < 1:
            raise DataError("preference: no episode succeeded at what it was asked for")

    def draw(
        self, generator: np.random.Generator, batch: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return B pairs at most: better and worse latents (B, frames, ...), and words (B, V)."""
        labelled = generator.binomial(batch, self._share)
        failed = (batch - labelled) // 2 if len(self._outcomes.failed) else 0
        later = batch - labelled - failed
        parts = [self._recorded(*self._against_failures(generator, failed))] if failed else []
        if later:
            parts.append(self._recorded(*self._later(generator, later)))
        if labelled and self._labelled:
            some = generator.integers(len(self._labelled), size=labelled)
            chosen = (self._labelled.better[some], self._labelled.worse[some])
            parts.append((*chosen, self._labelled_words[some]))
        better, worse, words = (np.concatenate(part) for part in zip(*parts, strict=True))
        return better.astype(np.float32), worse.astype(np.float32), words

    def _against_failures(
        self, generator: np.random.Generator, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known = self._outcomes
        which = generator.integers(len(known.failed), size=count)
        worse = known.failed[which]
        better = np.array([generator.choice(known.rivals[n]) for n in which])
        moment = generator.uniform(*MOMENTS, size=count)
        frames = [
            known.ending_at(episode, (moment * (known.length[episode] - 1)).astype(int),
                            self._frames)
            for episode in (better, worse)
        ]  # fmt: skip
        return frames[0], frames[1], better

    def _later(
        self, generator: np.random.Generator, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known = self._outcomes
        episode = known.succeeded[generator.integers(len(known.succeeded), size=count)]
        at = np.sort(generator.integers(known.length[episode], size=(2, count)), axis=0)
        seen = known.bad_before[known.first[episode] + at]
        done = np.minimum(at, known.done[episode])
        usable = (done[0] < done[1]) & (seen[0] == seen[1])
        episode, early, late = episode[usable], at[0][usable], at[1][usable]
        return (
            known.ending_at(episode, late, self._frames),
            known.ending_at(episode, early, self._frames),
            episode,
        )

    def _recorded(
        self, better: np.ndarray, worse: np.ndarray, episode: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._latents[better], self._latents[worse], self._words[episode]


def preference_loss(drawer: PairDrawer, batch: int) -> LossFunction:
    """The negative log likelihood of the pairs (Bradley and Terry 1952)."""

    def loss(model: nn.Module, generator: np.random.Generator, progress: float):  # type: ignore[no-untyped-def]
        assert isinstance(model, Preference)
        better, worse, words = drawer.draw(generator, batch)
        device = device_of(model)
        both = torch.cat([put(better, device), put(worse, device)])
        spread = NOISE * torch.rand(len(both), 1, 1, 1, device=device)
        both = both + spread * torch.randn_like(both)
        with half_precision(device):
            score = model(both, put(words, device).repeat(2, 1)).float()
        margin = score[: len(better)] - score[len(better) :]
        right = (margin.detach() > 0).float().mean()
        return functional.softplus(-margin).mean(), {"right": right}

    return loss

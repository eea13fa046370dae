"""What a training run teaches its inverse dynamics: on recorded frames first, then on dreams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wm_planner.training.calibration import DREAMED, REAL, calibrate, set_aside
from wm_planner.training.inverse_dynamics_training import inverse_dynamics_loss
from wm_planner.training.inverse_dynamics_windows import FrameSequences, WindowDrawer
from wm_planner.training.loop import LossFunction
from wm_planner.training.made_frames import (
    as_sequences,
    dreaming,
    made_once,
    pieces,
    reconstruction,
)
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.inverse_dynamics import InverseDynamics

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run

RECONSTRUCTED = "reconstructed"
#: Sequences of frames, and which of them are set aside for the calibration, shape (E,), bool.
Split = tuple[FrameSequences, np.ndarray]


def loss_on_recorded(run: Run) -> LossFunction:
    """The loss on windows of recorded frames."""
    return inverse_dynamics_loss([(_drawer(run, *recorded(run)), 1.0)], _windows(run))


def loss_on_dreams(run: Run) -> LossFunction:
    """The loss on recorded, reconstructed and dreamed frames."""
    s = run.settings
    shares = {DREAMED: s.dreamed_share, RECONSTRUCTED: s.reconstructed_share}
    drawers = [(_drawer(run, *recorded(run)), max(0.0, 1 - sum(shares.values())))]
    for name, share in shares.items():
        sequences, aside = made(run, name)
        if share and not aside.all():
            drawers.append((_drawer(run, sequences, aside), share))
    return inverse_dynamics_loss(drawers, _windows(run))


def calibrate_on_others(run: Run, model: InverseDynamics) -> dict[str, float]:
    """Fit the model's certainty on episodes set aside, real and dreamed.

    On real frames alone it would come to be too sure of dreams, which are what is planned with.
    """
    sources = {REAL: recorded(run), DREAMED: made(run, DREAMED)}
    return calibrate(model, sources, run.settings.horizon)


def recorded(run: Run) -> Split:
    """The recorded episodes."""
    return FrameSequences.of_source(run.source, run.latents), _aside(run)


def made(run: Run, name: str) -> Split:
    """The dreamed or reconstructed pieces, which are made at the first call."""
    s, latents = run.settings, run.latents
    frames = pieces(run.source, s.horizon, s.made_pieces, s.seed)
    if name == DREAMED:
        denoiser = run.load("denoiser")
        assert isinstance(denoiser, Denoiser)
        make = dreaming(
            denoiser, run.source, latents, s.denoising_steps, s.seed, run.hand_renderer()
        )
    else:
        autoencoder = run.load("autoencoder")
        assert isinstance(autoencoder, Autoencoder)
        make = reconstruction(autoencoder, latents)
    with run.workers.first_alone():
        result = made_once(run.folder / f"{name}.npy", frames, latents.shape[1:], make)
    episode = np.searchsorted(run.source.offsets, frames[:, 0], side="right") - 1
    return as_sequences(run.source, frames, result), _aside(run)[episode]


def _aside(run: Run) -> np.ndarray:
    s = run.settings
    return set_aside(len(run.source.offsets) - 1, s.seed, s.calibration_share)


def _drawer(run: Run, sequences: FrameSequences, aside: np.ndarray) -> WindowDrawer:
    s = run.settings
    return WindowDrawer(sequences, s.inverse_dynamics_window, ~aside, s.anywhere_share)


def _windows(run: Run) -> int:
    """Windows a step: as many pairs of frames, however many of them a window has."""
    pairs = run.settings.inverse_dynamics_window - 1
    return -(-run.settings.inverse_dynamics_batch // pairs)

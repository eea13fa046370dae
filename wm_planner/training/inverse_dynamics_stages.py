"""What a training run teaches its inverse dynamics: on recorded frames first, then on dreams.

What reads images learns from recorded, reconstructed and dreamed ones at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from wm_planner.training.calibration import DREAMED, REAL, calibrate, set_aside
from wm_planner.training.inverse_dynamics_training import inverse_dynamics_loss
from wm_planner.training.inverse_dynamics_windows import Frames, FrameSequences, WindowDrawer
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
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.training.pixel_frames import DecodedFrames, FramesOverScenes, look_at_all

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run

RECONSTRUCTED = "reconstructed"
#: Sequences of frames, and which of them are set aside for the calibration, shape (E,), bool.
Split = tuple[FrameSequences, np.ndarray]


def loss_on_recorded(run: Run) -> LossFunction:
    """The loss on windows of recorded frames."""
    s = run.settings
    return inverse_dynamics_loss(
        [(_drawer(run, *recorded(run)), 1.0)],
        _windows(run, s.inverse_dynamics_batch),
        s.inverse_dynamics_scene_noise,
    )


def loss_on_dreams(run: Run) -> LossFunction:
    """The loss on recorded, reconstructed and dreamed frames."""
    s = run.settings
    shares = {DREAMED: s.dreamed_share, RECONSTRUCTED: s.reconstructed_share}
    drawers = [(_drawer(run, *recorded(run)), max(0.0, 1 - sum(shares.values())))]
    for name, share in shares.items():
        sequences, aside = made(run, name)
        if share and not aside.all():
            drawers.append((_drawer(run, sequences, aside), share))
    return inverse_dynamics_loss(
        drawers, _windows(run, s.inverse_dynamics_batch), s.inverse_dynamics_scene_noise
    )


def loss_on_pixels(run: Run) -> LossFunction:
    """The loss on images: recorded ones, reconstructions of them, and decoded dreams."""
    s = run.settings
    shares = {DREAMED: s.dreamed_share, RECONSTRUCTED: s.reconstructed_share}
    drawers = [(_drawer(run, *recorded_images(run)), max(0.0, 1 - sum(shares.values())))]
    for name, share in shares.items():
        if share:
            sequences, aside = dreamed_images(run) if name == DREAMED else decoded_images(run)
            if not aside.all():
                drawers.append((_drawer(run, sequences, aside), share))
    return inverse_dynamics_loss(drawers, _windows(run, s.pixel_batch))


def calibrate_on_others(run: Run, model: InverseDynamics, stage: str) -> dict[str, float]:
    """Fit the model's certainty on episodes set aside, real and dreamed, as far as it reads them.

    On real frames alone it would come to be too sure of dreams, which are what is planned with.
    """
    apart = run.settings.inverse_dynamics_apart and run.settings.inverse_dynamics_on_dreams_steps
    if stage == "inverse_dynamics":
        if not apart:  # another stage goes on from it
            return {}
        sources = {REAL: recorded(run)}
    elif model.backbone is None:
        sources = {DREAMED: made(run, DREAMED)}
        if not apart:
            sources[REAL] = recorded(run)
    else:
        images = {REAL: recorded_images(run), DREAMED: dreamed_images(run)}
        sources = {name: _looked_at(model, *split) for name, split in images.items()}
    return calibrate(model, sources, run.settings.horizon)


def recorded_images(run: Run) -> Split:
    """The recorded episodes as the camera saw them."""
    return FrameSequences.of_source(run.source, run.source.frames), _aside(run)


def decoded_images(run: Run) -> Split:
    """The recorded episodes as the models show them, over a frame at most a dream's length old."""
    offsets = np.asarray(run.source.offsets)
    first = np.repeat(offsets[:-1], np.diff(offsets))
    since = np.arange(len(first)) - first
    frames = _shown(run, run.latents, first + since - since % (run.settings.horizon + 1))
    return FrameSequences.of_source(run.source, frames), _aside(run)


def dreamed_images(run: Run) -> Split:
    """The dreamed pieces as the models show them, over the frame that they go on from."""
    (frames, latents), (sequences, aside) = made_latents(run, DREAMED), made(run, DREAMED)
    flat = latents.reshape(-1, *latents.shape[2:])
    shown = _shown(run, flat, np.repeat(frames[:, 0], frames.shape[1]))
    return replace(sequences, frames=shown), aside


def recorded(run: Run) -> Split:
    """The recorded episodes."""
    return FrameSequences.of_source(run.source, run.latents), _aside(run)


def made(run: Run, name: str) -> Split:
    """The dreamed or reconstructed pieces as sequences."""
    frames, latents = made_latents(run, name)
    episode = np.searchsorted(run.source.offsets, frames[:, 0], side="right") - 1
    return as_sequences(run.source, frames, latents), _aside(run)[episode]


def made_latents(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The dreamed or reconstructed pieces, which are made at the first call.

    Returns:
        Numbers of the frames that they stand for, shape (N, H + 1), and their latents.
    """
    s, latents = run.settings, run.latents
    frames = pieces(run.source, s.horizon, s.made_pieces, s.seed)
    if name == DREAMED:
        denoiser = run.load("denoiser")
        assert isinstance(denoiser, Denoiser)
        make = dreaming(
            denoiser, run.source, latents, s.denoising_steps, s.seed, run.hand_renderer()
        )
    else:
        make = reconstruction(_autoencoder(run), latents)
    with run.workers.first_alone():
        return frames, made_once(run.folder / f"{name}.npy", frames, latents.shape[1:], make)


def _shown(run: Run, latents: np.ndarray, scene: np.ndarray) -> Frames:
    """Latents (F, ...) as planning will show them: over scenes (F,), where the run can do that."""
    if not run.finished("scene_decoder"):
        return DecodedFrames(latents, _autoencoder(run))
    decoder = run.load("scene_decoder").to(run.device)
    assert isinstance(decoder, SceneDecoder)
    return FramesOverScenes(latents, decoder, scene, run.source.frames, run.latents)


def _aside(run: Run) -> np.ndarray:
    s = run.settings
    return set_aside(run.source.recording, s.seed, s.calibration_share)


def _drawer(run: Run, sequences: FrameSequences, aside: np.ndarray) -> WindowDrawer:
    s = run.settings
    return WindowDrawer(sequences, s.inverse_dynamics_window, ~aside, s.anywhere_share)


def _windows(run: Run, batch: int) -> int:
    """Windows a step: as many pairs of frames, however many of them a window has."""
    return -(-batch // (run.settings.inverse_dynamics_window - 1))


def _autoencoder(run: Run) -> Autoencoder:
    autoencoder = run.load("autoencoder")
    assert isinstance(autoencoder, Autoencoder)
    return autoencoder.to(run.device)


def _looked_at(model: InverseDynamics, sequences: FrameSequences, chosen: np.ndarray) -> Split:
    """The chosen sequences alone, their images as the network reads them, and that all count."""
    # Nothing is to be read off stills, and nothing at all where no episode was set aside.
    some = np.flatnonzero(chosen & (sequences.kind != "stills"))
    pieces = [np.arange(*sequences.offsets[e : e + 2]) for e in some]
    row = np.concatenate([np.zeros(0, np.int64), *pieces])
    looked_at = FrameSequences(
        look_at_all(model, sequences.frames, pieces), sequences.hand_pose[row],
        sequences.hand_target[row], np.cumsum([0, *map(len, pieces)]), sequences.kind[some],
    )  # fmt: skip
    return looked_at, np.ones(len(some), bool)

"""A whole training run in one folder: autoencoder, latents, then the networks on them.

Every stage can be interrupted and run again. The folder holds the configuration, what was trained
on, the curves, the checkpoints and pictures; `export` turns it into bundles.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wm_planner.errors import ConfigurationError, DataError
from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.robot.rig_description import find_rig
from wm_planner.training import inverse_dynamics_stages
from wm_planner.training.autoencoder_training import encode_all
from wm_planner.training.devices import choose_device, tell_machine
from wm_planner.training.kept_stages import keep_stages
from wm_planner.training.loop import LoopSettings, LossFunction, train
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.networks.inverse_dynamics_apart import InverseDynamicsApart
from wm_planner.training.preference_training import LabelledPictures
from wm_planner.training.run_record import begin_or_compare, note, of_the_run
from wm_planner.training.samples import sampling_of
from wm_planner.training.source import EpisodeSource
from wm_planner.training.stage_networks import StageNetworks
from wm_planner.training.stages import STAGES
from wm_planner.training.training_settings import PIXELS, TrainingSettings
from wm_planner.training.vocabulary import build_vocabulary
from wm_planner.training.warm_start import ON_DREAMS, WarmStart
from wm_planner.training.workers import Workers

ON_PIXELS = "pixel_inverse_dynamics"


@dataclass
class Run:
    """A training run's folder and what it has in memory.

    Attributes:
        folder: of the run; made if missing.
        settings: sizes, steps, seed.
        source: the episodes.
        data: facts about them for the model card.
        start: weights to go on from; None to start fresh, or as the run began.
        workers: the processes that train together, found in the environment.
        labels: pairs of futures that somebody compared, for the preference head.
    """

    folder: Path
    settings: TrainingSettings
    source: EpisodeSource
    data: Mapping[str, Any] = field(default_factory=dict)
    start: WarmStart | None = None
    workers: Workers = field(init=False)
    labels: Sequence[LabelledPictures] = ()
    _latents: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Write down what is being trained, or refuse a folder of another run."""
        torch.set_num_threads(self.settings.threads)
        self.workers = Workers(self.settings.sharded)
        self.device = choose_device(self.settings.device)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary = build_vocabulary(self.source.instruction)
        self.networks = StageNetworks(self.settings, self.source, len(self.vocabulary))
        began: dict[str, Any] = {"machine": tell_machine(self.device)}
        if self.start:
            began["notes"] = {"started_from": self.start.identity}
        facts: dict[str, Any] = {
            "settings": of_the_run(self.settings),
            "data": dict(self.data),
            "instructions": sorted({text for text in self.source.instruction if text}),
            "vocabulary": list(self.vocabulary),
        }
        with self.workers.first_alone():
            begin_or_compare(self.folder, facts, began)
            keep_stages(self)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages to train, in order."""
        without = () if self.settings.inverse_dynamics_input == PIXELS else (ON_PIXELS,)
        return tuple(
            name
            for name in STAGES
            if getattr(self.settings, f"{name}_steps") and name not in without
        )

    def train(self, stage: str) -> nn.Module:
        """Train, continue or load one stage; its predecessors must be done."""
        if stage not in self.stages:
            known = ", ".join(self.stages)
            raise ConfigurationError(f"stage: got {stage!r}, expected one of {known}")
        model, loss = self.begin(stage)
        if self.settings.compile:
            model.compile()
        loop = LoopSettings(
            steps=getattr(self.settings, f"{stage}_steps"),
            learning_rate=self.settings.learning_rate,
            checkpoint_every=self.settings.checkpoint_every,
            seed=self.settings.seed,
        )
        began = time.time()
        sampling = sampling_of(self, stage)
        trained = train(model, loss, loop, self.folder / stage, self.workers, sampling).to("cpu")
        weights = self.folder / stage / "model.pt"
        with self.workers.first_alone() as first:
            if first and not weights.exists():
                note(self.folder, "seconds", stage, round(time.time() - began))
            if first and isinstance(trained, InverseDynamics):
                held = inverse_dynamics_stages.calibrate_on_others(self, trained, stage)
                if held:
                    note(self.folder, "calibration", stage, held)
            if first:
                torch.save(trained.state_dict(), weights)
        return trained

    def begin(self, stage: str) -> tuple[nn.Module, LossFunction]:
        """A stage's network as its training begins, where it will be trained, and its loss."""
        torch.manual_seed(self.settings.seed)
        model, loss = STAGES[stage](self)
        if self.start and self.started(stage):
            s = self.settings
            self.start.load_into(model, stage, self.vocabulary, s.rig, s.channels)
        return model.to(self.device), loss

    def started(self, stage: str) -> bool:
        """Whether the start has weights for a stage.

        Of inverse dynamics networks that are asked for apart, that for dreams begins as the start's
        only one, which was trained on dreams last.
        """
        either = stage == ON_DREAMS and self.settings.inverse_dynamics_apart
        known = "inverse_dynamics" if either else stage
        return self.start is not None and self.start.holds(known)

    def load(self, stage: str) -> nn.Module:
        """The finished network of a stage."""
        weights = self.folder / stage / "model.pt"
        if not weights.exists():
            raise DataError(f"{weights}: missing; train the {stage} first")
        model = self.fresh(stage)
        model.load_state_dict(torch.load(weights, weights_only=True))
        return model.eval()

    def load_if_wanted(self, stage: str) -> nn.Module | None:
        """The finished network of a stage that may be left out; None where it was.

        Weights of another run on the same autoencoder may be put there: they count as well.
        """
        return self.load(stage) if stage in self.stages or self.finished(stage) else None

    def finished(self, stage: str) -> bool:
        """Whether a stage's network is there."""
        return (self.folder / stage / "model.pt").exists()

    def load_inverse_dynamics(self) -> InverseDynamics | InverseDynamicsApart:
        """The inverse dynamics to ship: on pixels where asked for, else the one that saw dreams.

        Or both that read latents, where they are asked for apart.
        """
        if self.settings.inverse_dynamics_input == PIXELS:
            on_pixels = self.load(ON_PIXELS)
            assert isinstance(on_pixels, InverseDynamics)
            return on_pixels
        on_dreams = self.finished(ON_DREAMS)
        model = self.load(ON_DREAMS if on_dreams else "inverse_dynamics")
        assert isinstance(model, InverseDynamics)
        if on_dreams and self.settings.inverse_dynamics_apart:
            seen = self.load("inverse_dynamics")
            assert isinstance(seen, InverseDynamics)
            return InverseDynamicsApart(seen, model).eval()
        return model

    @property
    def latents(self) -> np.ndarray:
        """Latents of all frames, (F, tokens, channels) float16, kept in the run's folder."""
        if self._latents is None:
            path = self.folder / "latents.npy"
            with self.workers.first_alone():
                if not path.exists():
                    autoencoder = self.load("autoencoder")
                    assert isinstance(autoencoder, Autoencoder)
                    partial = path.with_suffix(".partial.npy")
                    np.save(partial, encode_all(autoencoder.to(self.device), self.source.frames))
                    os.replace(partial, path)
            self._latents = np.load(path, mmap_mode="r")
        return self._latents

    def fresh(self, stage: str) -> nn.Module:
        """The network of a stage as it is before training."""
        network: nn.Module = getattr(self.networks, stage)()
        return network

    def hand_renderer(self) -> HandRenderer | None:
        """Draws hands for the denoiser; None where it is not shown any."""
        if self.settings.actions == "vectors":
            return None
        _, height, width = self.networks.denoiser().settings.hands_shape
        return HandRenderer(find_rig(self.settings.rig), self.settings.camera, height, width)

"""A whole training run in one folder: autoencoder, latents, then the three networks on them.

Every stage can be interrupted and run again. The folder holds the configuration, what was trained
on, the curves, the checkpoints and pictures; `export` turns it into bundles.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wm_planner.errors import ConfigurationError, DataError
from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.robot.rig_description import find_rig
from wm_planner.training.autoencoder_training import (
    autoencoder_loss,
    build_autoencoder,
    encode_all,
    pose_statistics,
)
from wm_planner.training.devices import choose_device
from wm_planner.training.hand_images import HandImages
from wm_planner.training.inverse_dynamics_training import inverse_dynamics_loss
from wm_planner.training.loop import LoopSettings, LossFunction, train
from wm_planner.training.networks.autoencoder import Autoencoder, AutoencoderSettings
from wm_planner.training.networks.denoiser import Denoiser, DenoiserSettings
from wm_planner.training.networks.inverse_dynamics import InverseDynamics, InverseDynamicsSettings
from wm_planner.training.networks.value import Value
from wm_planner.training.source import EpisodeSource
from wm_planner.training.training_settings import TrainingSettings
from wm_planner.training.vocabulary import build_vocabulary
from wm_planner.training.warm_start import WarmStart
from wm_planner.training.windows import Windows
from wm_planner.training.workers import Workers
from wm_planner.training.world_model_training import denoiser_loss, value_loss

STAGES = ("autoencoder", "inverse_dynamics", "denoiser", "value")  # each needs those before it


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
    """

    folder: Path
    settings: TrainingSettings
    source: EpisodeSource
    data: Mapping[str, Any] = field(default_factory=dict)
    start: WarmStart | None = None
    workers: Workers = field(default_factory=Workers)
    _latents: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Write down what is being trained, or refuse a folder of another run."""
        torch.set_num_threads(self.settings.threads)
        self.device = choose_device(self.settings.device)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary = build_vocabulary(self.source.instruction)
        facts: dict[str, Any] = {
            "settings": _of_the_run(self.settings),
            "data": dict(self.data),
            "instructions": sorted({text for text in self.source.instruction if text}),
            "vocabulary": list(self.vocabulary),
        }
        path = self.folder / "run.json"
        with self.workers.first_alone():
            self._note_or_compare(path, facts)

    def _machine(self) -> str:
        cores = f"{os.cpu_count()} CPU cores, {platform.machine()}, torch {torch.__version__}"
        if self.device.type != "cuda":
            return cores
        return f"{torch.cuda.get_device_name(self.device)}, {cores}"

    def _note_or_compare(self, path: Path, facts: dict[str, Any]) -> None:
        if path.exists():
            old = json.loads(path.read_text())
            # A run from before a setting existed was made with its default.
            old["settings"] = _of_the_run(TrainingSettings()) | old["settings"]
            # Through JSON, which knows no tuples.
            old, new = json.loads(json.dumps([old, facts]))
            for key, value in new.items():
                if old[key] != value:
                    raise ConfigurationError(
                        f"{path}: {key} differs from this run's; continue with the same data and "
                        "configuration, or choose a new --out folder"
                    )
        else:
            facts |= {"commit": _commit(), "machine": self._machine(), "started": time.time()}
            if self.start:
                facts["notes"] = {"started_from": self.start.identity}
            _write_json(path, facts)

    def train(self, stage: str) -> nn.Module:
        """Train, continue or load one stage; its predecessors must be done."""
        if stage not in STAGES:
            raise ConfigurationError(f"stage: got {stage!r}, expected one of {', '.join(STAGES)}")
        build: dict[str, Callable[[], tuple[nn.Module, LossFunction]]] = {
            "autoencoder": self._autoencoder,
            "denoiser": self._denoiser,
            "value": self._value,
            "inverse_dynamics": self._inverse_dynamics,
        }
        torch.manual_seed(self.settings.seed)
        model, loss = build[stage]()
        if self.start:
            self.start.load_into(model, stage, self.vocabulary)
        model.to(self.device)
        if self.settings.compile:
            model.compile()
        loop = LoopSettings(
            steps=getattr(self.settings, f"{stage}_steps"),
            checkpoint_every=self.settings.checkpoint_every,
            seed=self.settings.seed,
        )
        began = time.time()
        trained = train(model, loss, loop, self.folder / stage, self.workers).to("cpu")
        weights = self.folder / stage / "model.pt"
        with self.workers.first_alone() as first:
            if first and not weights.exists():
                _note_time(self.folder / "run.json", stage, time.time() - began)
            if first:
                torch.save(trained.state_dict(), weights)
        return trained

    def load(self, stage: str) -> nn.Module:
        """The finished network of a stage."""
        weights = self.folder / stage / "model.pt"
        if not weights.exists():
            raise DataError(f"{weights}: missing; train the {stage} first")
        build = {
            "autoencoder": self.fresh_autoencoder,
            "denoiser": self.fresh_denoiser,
            "value": self.fresh_value,
            "inverse_dynamics": self.fresh_inverse_dynamics,
        }
        model = build[stage]()
        model.load_state_dict(torch.load(weights, weights_only=True))
        return model.eval()

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

    # -- fresh networks -------------------------------------------------------------------------
    def fresh_autoencoder(self) -> Autoencoder:
        height, width = self.source.frames.shape[1:3]
        sizes = AutoencoderSettings(
            height=height, width=width, channels=self.settings.channels,
            objects=self.source.object_position.shape[1],
        )  # fmt: skip
        return build_autoencoder(self.source, sizes, self.settings.seed)

    def fresh_denoiser(self) -> Denoiser:
        s = self.settings
        rows, groups = self._grid
        sizes = DenoiserSettings(
            tokens=rows * groups, channels=s.channels, rows=rows, groups=groups, layers=s.layers,
            context_frames=s.context_frames, horizon=s.horizon, width=s.width,
            vocabulary=len(self.vocabulary), prediction=s.prediction, shortcut=s.shortcut,
            actions=s.actions,
        )  # fmt: skip
        return Denoiser(sizes, *self._pose_statistics)

    def fresh_value(self) -> Value:
        rows, columns = self._grid
        return Value(rows * columns, self.settings.channels, len(self.vocabulary))

    def fresh_inverse_dynamics(self) -> InverseDynamics:
        rows, columns = self._grid
        sizes = InverseDynamicsSettings(tokens=rows * columns, channels=self.settings.channels)
        return InverseDynamics(sizes, *self._pose_statistics)

    @property
    def _grid(self) -> tuple[int, int]:
        height, width = self.source.frames.shape[1:3]
        return height // 32, width // 32

    @property
    def _pose_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        mean, std = pose_statistics(self.source)
        return torch.from_numpy(mean).float(), torch.from_numpy(std).float()

    # -- stages ---------------------------------------------------------------------------------
    def _autoencoder(self) -> tuple[nn.Module, LossFunction]:
        loss = autoencoder_loss(
            self.source, self.settings.autoencoder_batch, objects_from=0.0 if self.start else 0.2
        )
        return self.fresh_autoencoder(), loss

    def _denoiser(self) -> tuple[nn.Module, LossFunction]:
        s = self.settings
        windows = Windows(
            self.source, self.latents, self.vocabulary, s.context_frames, s.horizon,
            impossible=s.impossible, hands=self._hand_images(), outcomes=s.outcomes,
            without_kinds=s.without_kinds,
        )  # fmt: skip
        inverter = self.load("inverse_dynamics")
        assert isinstance(inverter, InverseDynamics)
        return self.fresh_denoiser(), denoiser_loss(
            windows, s.denoiser_batch, inverter.to(self.device), s.command_weight
        )

    def hand_renderer(self) -> HandRenderer | None:
        """Draws hands for the denoiser; None where it is not shown any."""
        if self.settings.actions == "vectors":
            return None
        _, height, width = self.fresh_denoiser().settings.hands_shape
        return HandRenderer(find_rig(self.settings.rig), self.settings.camera, height, width)

    def _hand_images(self) -> HandImages | None:
        renderer = self.hand_renderer()
        if renderer is None:
            return None
        with self.workers.first_alone():
            return HandImages.drawn_once(
                self.folder / "hands.npy", renderer, self.source.hand_target
            )

    def _value(self) -> tuple[nn.Module, LossFunction]:
        loss = value_loss(self.source, self.latents, self.vocabulary, self.settings.value_batch)
        return self.fresh_value(), loss

    def _inverse_dynamics(self) -> tuple[nn.Module, LossFunction]:
        loss = inverse_dynamics_loss(
            self.source, self.latents, self.settings.inverse_dynamics_batch
        )
        return self.fresh_inverse_dynamics(), loss


def _of_the_run(settings: TrainingSettings) -> dict[str, Any]:
    """All settings but those that are a matter of the machine."""
    values = dataclasses.asdict(settings)
    return {k: v for k, v in values.items() if k not in ("threads", "compile", "device")}


def _note_time(path: Path, stage: str, seconds: float) -> None:
    facts = json.loads(path.read_text())
    facts.setdefault("seconds", {})[stage] = round(seconds)
    _write_json(path, facts)


def _write_json(path: Path, facts: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(facts, indent=2) + "\n")
    os.replace(partial, path)


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()



"""Training that goes on from earlier weights: of another run, or of bundles as they are shipped.

Fine-tuning on a rig's own recordings starts here. Weights are matched by name and shape; what has
no counterpart, such as heads that serve only in training, starts fresh.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from wm_planner.bundle import INVERSE_DYNAMICS, OPTIONAL_GRAPHS, WORLD_MODEL, load_bundle
from wm_planner.bundle.manifest import SCALE
from wm_planner.errors import DataError
from wm_planner.training.networks.autoencoder import NORM_EPSILON
from wm_planner.training.networks.inverse_dynamics import CALIBRATED
from wm_planner.training.networks.inverse_dynamics_apart import DREAMS, SEEN
from wm_planner.training.onnx_export import BUFFER, TRANSPOSED
from wm_planner.training.other_channels import with_other_channels

logger = logging.getLogger(__name__)

GRAPHS = {
    "autoencoder": (WORLD_MODEL, ("encoder", "decoder")),
    "denoiser": (WORLD_MODEL, ("denoiser",)),
    "value": (WORLD_MODEL, ("value",)),
    "preference": (WORLD_MODEL, ("preference",)),
    "instruction": (WORLD_MODEL, ("instruction",)),
    "scene_decoder": (WORLD_MODEL, ("scene_decoder",)),
    "inverse_dynamics": (INVERSE_DYNAMICS, ("inverse_dynamics",)),
    "inverse_dynamics_on_dreams": (INVERSE_DYNAMICS, ("inverse_dynamics",)),
    "pixel_inverse_dynamics": (INVERSE_DYNAMICS, ("backbone", "inverse_dynamics")),
}

ON_DREAMS = "inverse_dynamics_on_dreams"

NORMS = {"norm": "encoder.11.weight", "fine.norm": "fine.layers.21.weight"}
"""The autoencoder's normalisations and the layers that they follow."""

PLACES = {"place", "frame_place"}
"""Weights with a row for each frame of a window."""


@dataclass(frozen=True)
class WarmStart:
    """Where weights come from: a training run's folder, or one with the two bundles."""

    folder: Path

    def __post_init__(self) -> None:
        """Refuse a folder that is neither."""
        if not (self._is_run or (self.folder / WORLD_MODEL / "bundle.json").exists()):
            raise DataError(
                f"{self.folder}: neither a training run (run.json) nor a folder of bundles "
                f"({WORLD_MODEL}/bundle.json)"
            )

    @property
    def identity(self) -> str:
        """What the model card says about it, without where it was on somebody's disk."""
        if self._is_run:
            return f"training run {self.folder.resolve().name}"
        bundle = load_bundle(self.folder / WORLD_MODEL, WORLD_MODEL)
        return f"{bundle.manifest.name}, bundle {bundle.bundle_hash[:12]}"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Words of the instructions, in the order of the networks' inputs."""
        if self._is_run:
            return tuple(json.loads((self.folder / "run.json").read_text())["vocabulary"])
        return load_bundle(self.folder / WORLD_MODEL, WORLD_MODEL).manifest.vocabulary

    def holds(self, stage: str) -> bool:
        """Whether there are weights for a stage.

        Those that a bundle may lack start fresh; inverse dynamics reads either latents or images.
        """
        if stage not in GRAPHS:
            return False
        if stage in OPTIONAL_GRAPHS[WORLD_MODEL]:
            if self._is_run:
                return (self.folder / stage / "model.pt").exists()
            return stage in load_bundle(self.folder / WORLD_MODEL, WORLD_MODEL).graphs
        if stage == ON_DREAMS:
            return self.apart
        if not stage.endswith("inverse_dynamics"):
            return True
        on_pixels = stage != "inverse_dynamics"
        if self._is_run:
            return not on_pixels or (self.folder / stage / "model.pt").exists()
        bundle = load_bundle(self.folder / INVERSE_DYNAMICS, INVERSE_DYNAMICS)
        return bundle.manifest.reads_images == on_pixels

    @property
    def rig(self) -> str:
        """Whose recordings the weights were trained on."""
        if self._is_run:
            return str(json.loads((self.folder / "run.json").read_text())["settings"]["rig"])
        return load_bundle(self.folder / WORLD_MODEL, WORLD_MODEL).manifest.rig

    def load_into(
        self, model: nn.Module, stage: str, vocabulary: tuple[str, ...], rig: str, channels: int
    ) -> None:
        """Copy what fits.

        Weights go with the mean image and the poses' statistics that they were trained with, so
        those are copied too; but another rig sees and does other things, and keeps its own.

        Args:
            model: freshly built network of the stage.
            stage: one of `GRAPHS`.
            vocabulary: the model's words; known ones keep their weights, new ones start fresh.
            rig: whose recordings the model will be trained on.
            channels: of its latents. Further ones count for nothing at first.

        Raises:
            DataError: nothing fits, so the folder holds another architecture.
        """
        weights, own = self._weights(model, stage, vocabulary), model.state_dict()
        if rig != self.rig:
            statistics = {name for name, _ in model.named_buffers()}
            weights = {k: v for k, v in weights.items() if k not in statistics}
        # Certainty is fitted after training: a likelihood under an old fit would drown all else.
        weights = {name: value for name, value in weights.items() if name not in CALIBRATED}
        if channels != self.channels:
            weights = with_other_channels(weights, own, self.channels, channels)
        fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
        if not fitting:
            raise DataError(f"{self.folder}: no weight of its {stage} fits this configuration")
        model.load_state_dict(fitting, strict=False)
        logger.info("%s: %d of %d tensors from %s", stage, len(fitting), len(own), self.folder)

    def take_over(
        self, model: nn.Module, stage: str, vocabulary: tuple[str, ...], channels: int
    ) -> None:
        """Copy everything, fitted certainty included; heads that only train may stay fresh.

        Args:
            model: freshly built network of the stage.
            stage: one of `GRAPHS`.
            vocabulary, channels: as for `load_into`.

        Raises:
            DataError: a weight does not fit, or the fitted certainty is not there.
        """
        weights, own = self._weights(model, stage, vocabulary), model.state_dict()
        weights |= self._left_out(own.keys() & set(CALIBRATED), weights, stage)
        if channels != self.channels:
            weights = with_other_channels(weights, own, self.channels, channels)
        for name in weights.keys() & own.keys():
            if weights[name].shape != own[name].shape:
                raise DataError(
                    f"{self.folder}: {stage} cannot be kept: {name} is "
                    f"{list(weights[name].shape)}, this configuration has {list(own[name].shape)}"
                )
        model.load_state_dict({k: v for k, v in weights.items() if k in own}, strict=False)

    def _left_out(
        self, names: set[str], weights: dict[str, Tensor], stage: str
    ) -> dict[str, Tensor]:
        """Fitted certainty that is not in a graph because exporters keep one of equal tensors."""
        told = [weights[name] for name in sorted(names & weights.keys())]
        missing = sorted(names - weights.keys())
        if missing and not (told and all(torch.equal(one, told[0]) for one in told)):
            raise DataError(
                f"{self.folder}: {stage} cannot be kept: its {missing[0]} is not in the bundle, as "
                "it was not in those of earlier versions; train it for a step or more"
            )
        return dict.fromkeys(missing, told[0]) if missing else {}

    def _weights(
        self, model: nn.Module, stage: str, vocabulary: tuple[str, ...]
    ) -> dict[str, Tensor]:
        """Weights by name, with a column for each word and a row for each frame of the model."""
        weights = self._run_weights(stage) if self._is_run else self._bundle_weights(stage)
        own = model.state_dict()
        if "words.weight" in own and "words.weight" in weights:
            old = weights["words.weight"]
            columns = own["words.weight"].clone()
            for new, word in enumerate(vocabulary):
                if word in self.vocabulary:
                    columns[:, new] = old[:, self.vocabulary.index(word)]
            weights["words.weight"] = columns
        for name in PLACES & own.keys() & weights.keys():
            # A longer future goes on as its last frame; a shorter one leaves frames out.
            last = len(weights[name]) - 1
            frames = torch.arange(len(own[name])).clamp(max=last)
            weights[name] = weights[name][frames]
        return weights

    @property
    def channels(self) -> int:
        """Channels of a latent token."""
        if self._is_run:
            return int(json.loads((self.folder / "run.json").read_text())["settings"]["channels"])
        return load_bundle(self.folder / WORLD_MODEL, WORLD_MODEL).manifest.latent_shape[-1]

    @property
    def apart(self) -> bool:
        """Whether inverse dynamics on dreams is another network than that on recorded frames."""
        if self._is_run:
            settings = json.loads((self.folder / "run.json").read_text())["settings"]
            apart = settings.get("inverse_dynamics_apart", False)
            return apart and (self.folder / ON_DREAMS / "model.pt").exists()
        graph = load_bundle(self.folder / INVERSE_DYNAMICS, INVERSE_DYNAMICS).graphs
        names = onnx.load_from_string(graph["inverse_dynamics"]).graph.initializer
        return any(tensor.name.startswith(DREAMS) for tensor in names)

    @property
    def _is_run(self) -> bool:
        return (self.folder / "run.json").exists()

    def _run_weights(self, stage: str) -> dict[str, Tensor]:
        path = self.folder / stage / "model.pt"
        further = self.folder / f"{stage}_on_dreams" / "model.pt"
        path = further if further.exists() and not self.apart else path
        if stage == ON_DREAMS and not path.exists():
            path = self.folder / "inverse_dynamics" / "model.pt"
        if not path.exists():
            raise DataError(f"{path}: missing; that run has not finished its {stage}")
        weights: dict[str, Tensor] = torch.load(path, weights_only=True)
        return weights

    def _bundle_weights(self, stage: str) -> dict[str, Tensor]:
        kind, graphs = GRAPHS[stage]
        bundle = load_bundle(self.folder / kind, kind)
        weights = {}
        for graph in graphs:
            stored = {
                tensor.name: np.array(numpy_helper.to_array(tensor), np.float32)
                for tensor in onnx.load_from_string(bundle.graphs[graph]).graph.initializer
            }
            for whole, value in stored.items():
                if whole.endswith(SCALE) and whole.removesuffix(SCALE) in stored:
                    continue
                value = value * stored.get(whole + SCALE, np.float32(1))
                name = whole.removeprefix("owner.").removesuffix(BUFFER)
                if name.endswith(TRANSPOSED):
                    name, value = name.removesuffix(TRANSPOSED), value.T
                weights[name] = torch.from_numpy(np.ascontiguousarray(value))
        if self.apart and kind == INVERSE_DYNAMICS:
            own, other = (SEEN, DREAMS) if stage == "inverse_dynamics" else (DREAMS, SEEN)
            # Of equal tensors exporters keep one: what one network lacks is in the other.
            weights = _part(weights, other) | _part(weights, own)
        if stage == "autoencoder":
            # Exporting folds the normalisation into the layer before it. What is left changes
            # nothing, to the bit: an encoder that is kept is exported as it was.
            for norm, before in NORMS.items():
                if before in weights:
                    channels = len(weights[before])
                    weights[f"{norm}.running_mean"] = torch.zeros(channels)
                    weights[f"{norm}.running_var"] = torch.full((channels,), 1 - NORM_EPSILON)
        return weights


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one of two inverse dynamics networks, each certain of one kind of frames."""
    part = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    for name in ("log_scale", "correlation"):
        pair = (name, f"dreamed_{name}")
        told = [part[one] for one in pair if one in part]
        part |= dict.fromkeys(pair, told[0]) if len(told) == 1 else {}
    return part

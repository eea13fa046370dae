"""The networks of a training run as they are before training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from wm_planner.errors import ConfigurationError
from wm_planner.inverse_dynamics.optical_flow import flow_size
from wm_planner.training.autoencoder_training import build_autoencoder, pose_statistics
from wm_planner.training.networks.autoencoder import Autoencoder, AutoencoderSettings
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.denoiser_settings import DenoiserSettings
from wm_planner.training.networks.instruction import Instruction
from wm_planner.training.networks.inverse_dynamics import InverseDynamics, InverseDynamicsSettings
from wm_planner.training.networks.preference import Preference
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.training.networks.value import Value
from wm_planner.training.source import EpisodeSource
from wm_planner.training.training_settings import TrainingSettings


@dataclass(frozen=True)
class StageNetworks:
    """Builds the network of each stage; the methods are named as the stages.

    Attributes:
        settings: sizes.
        source: the episodes; means and spreads of pictures and poses are theirs.
        words: in the vocabulary.
    """

    settings: TrainingSettings
    source: EpisodeSource
    words: int

    def autoencoder(self) -> Autoencoder:
        height, width = self.source.frames.shape[1:3]
        if self.settings.fine_channels >= self.settings.channels:
            raise ConfigurationError(
                f"fine_channels: got {self.settings.fine_channels}, expected fewer than channels, "
                f"which is {self.settings.channels}"
            )
        sizes = AutoencoderSettings(
            height=height, width=width, channels=self.settings.channels,
            fine=self.settings.fine_channels, objects=self.source.object_position.shape[1],
        )  # fmt: skip
        return build_autoencoder(self.source, sizes, self.settings.seed)

    def scene_decoder(self) -> SceneDecoder:
        return SceneDecoder(self.autoencoder())

    def denoiser(self) -> Denoiser:
        s = self.settings
        rows, columns = self._grid
        sizes = DenoiserSettings(
            tokens=rows * columns, channels=s.channels, rows=rows, layers=s.layers,
            context_frames=s.context_frames, horizon=s.horizon, width=s.width,
            vocabulary=self.words, prediction=s.prediction, shortcut=s.shortcut,
            actions=s.actions, packing=s.denoiser_token, gripper_widths=s.gripper_widths,
        )  # fmt: skip
        return Denoiser(sizes, *self._pose_statistics)

    def value(self) -> Value:
        rows, columns = self._grid
        return Value(rows * columns, self.settings.channels, self.words)

    def preference(self) -> Preference:
        rows, columns = self._grid
        s = self.settings
        return Preference(rows * columns, s.channels, s.preference_frames, self.words)

    def instruction(self) -> Instruction:
        rows, columns = self._grid
        return Instruction(rows * columns, self.settings.channels, self.words)

    def inverse_dynamics(self) -> InverseDynamics:
        rows, columns = self._grid
        sizes = InverseDynamicsSettings(
            tokens=rows * columns, channels=self.settings.channels,
            window=self.settings.inverse_dynamics_window,
            head=self.settings.inverse_dynamics_head,
        )  # fmt: skip
        return InverseDynamics(sizes, *self._pose_statistics)

    def inverse_dynamics_on_dreams(self) -> InverseDynamics:
        return self.inverse_dynamics()

    def pixel_inverse_dynamics(self) -> InverseDynamics:
        s, (height, width) = self.settings, self.source.frames.shape[1:3]
        sizes = InverseDynamicsSettings(
            tokens=1, channels=s.pixel_features, window=s.inverse_dynamics_window,
            head=s.inverse_dynamics_head, backbone=s.pixel_backbone, image=(height, width),
            motion=flow_size(height, width) if s.optical_flow else 0,
        )  # fmt: skip
        return InverseDynamics(sizes, *self._pose_statistics)

    @property
    def _grid(self) -> tuple[int, int]:
        height, width = self.source.frames.shape[1:3]
        return height // 32, width // 32

    @property
    def _pose_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        mean, std = pose_statistics(self.source)
        return torch.from_numpy(mean).float(), torch.from_numpy(std).float()

"""The inverse dynamics network: from a window of frames to hand poses and commands.

Frames are latents of the world model, or features that its own backbone makes of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_planner.training.networks.flow_head import FlowHead
from wm_planner.training.networks.pixel_backbone import PixelBackbone, build_backbone

REGRESSION, FLOW = HEADS = ("regression", "flow")
#: For recorded and for dreamed frames, the scale of variances and what neighbours' errors share.
CALIBRATED = ("log_scale", "dreamed_log_scale", "correlation", "dreamed_correlation")
LARGEST_RESIDUAL = 5.0  # deviations; the flow need not learn to draw further outliers
SMALLEST_SPREAD = 1e-4  # variance of draws, relative to the stated one


@dataclass(frozen=True)
class InverseDynamicsSettings:
    """Sizes of the inverse dynamics network.

    Attributes:
        tokens, channels: of a latent frame, or 1 and the features of an image.
        width: of the features of a pair of frames.
        layers: of the perceptron that makes them.
        pose: size of packed hand poses.
        window: frames that are looked at together, at least 2.
        blocks: that mix the pairs of a window; there are none in a window of 2.
        head: REGRESSION states mean and variance. FLOW draws what may be around them.
        backbone: what makes features of images, one of `BACKBONES`; "" where frames are latents.
        image: height and width of those images, px.
        motion: numbers of optical flow behind an image's features, 0 for none.
    """

    tokens: int = 12
    channels: int = 32
    width: int = 512
    layers: int = 3
    pose: int = 20
    window: int = 2
    blocks: int = 2
    head: str = REGRESSION
    backbone: str = ""
    image: tuple[int, int] = (0, 0)
    motion: int = 0


class InverseDynamics(nn.Module):
    """A perceptron on every (frame, change), whose features are then mixed along the window.

    It predicts the hand pose at both frames and the *command* between them, all absolute, because
    summed changes drift. The commanded gripper width differs from the observed one while an object
    is held, and the command is what acts.
    """

    mean: Tensor
    std: Tensor
    log_scale: Tensor
    dreamed_log_scale: Tensor
    correlation: Tensor
    dreamed_correlation: Tensor

    def __init__(self, settings: InverseDynamicsSettings, mean: Tensor, std: Tensor) -> None:
        """Build it.

        Args:
            settings: sizes.
            mean, std: Shape (20,), of packed hand poses in the training set.
        """
        super().__init__()
        s = self.settings = settings
        size = s.tokens * s.channels
        self.backbone: PixelBackbone | None = None
        if s.backbone:
            self.backbone = build_backbone(s.backbone, *s.image, size)
        widths = [2 * size + s.motion] + [s.width] * s.layers
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.GELU()]
        self.trunk = nn.Sequential(*layers)
        mixers = [_Mixer(s.window - 1, s.width) for _ in range(s.blocks)]
        self.blocks = nn.Sequential(*(mixers if s.window > 2 else ()))
        self.heads = nn.Linear(s.width, 4 * s.pose)
        self.flow = FlowHead(s.width, s.pose) if s.head == FLOW else None
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        # Fitted on other episodes after training, see `wm_planner.training.calibration`.
        for name in CALIBRATED:
            self.register_buffer(name, torch.zeros(s.pose))
        self.register_load_state_dict_pre_hook(_as_if_calibrated)

    def features(self, frames: Tensor) -> Tensor:
        """Frames (N, W, tokens, channels) to features of their pairs, (N, W - 1, width).

        Optical flow stands behind a frame's channels. Only that into the second frame of a pair is
        looked at: what came before a window is not to matter.
        """
        s, flat = self.settings, frames.flatten(2)
        still, motion = flat.split([s.tokens * s.channels, s.motion], -1)
        pairs = torch.cat([still[:, :-1], still[:, 1:] - still[:, :-1], motion[:, 1:]], -1)
        features: Tensor = self.blocks(self.trunk(pairs))
        return features

    def forward(
        self, frames: Tensor, dreamed: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Invert windows of frames.

        Args:
            frames: Shape (N, W, tokens, channels).
            dreamed: Shape (N,), 1 where frames were dreamed, 0 where they were seen. What a dream
                does wrong need not look wrong, so the network has to be told how sure to be.
                None for 0.
            noise: Shape (N, D, W - 1, 20), of deviation 1, of D draws of the flow. Without, its
                regression answers.

        Returns:
            pose at the first frame of each pair, pose at the second, command between them, each
            (N, W - 1, 20) packed; the log of the command's variance, in squared units of the
            packing; and the correlation of its error with that of the command before.
        """
        features = self.features(frames)
        answers = self.answers(features, dreamed)
        pose, following, command, log_variance, correlation = answers
        if self.flow is not None and noise is not None:
            drawn = self.flow.draw(features, noise)
            scale = self._calibrated("log_scale", dreamed)
            deviation = torch.exp(0.5 * (log_variance - scale))
            command = command + deviation * drawn.mean(1)
            # Spelt out: exporters know no variance.
            apart = (drawn - drawn.mean(1, keepdim=True)).square().sum(1) / (noise.shape[1] - 1)
            log_variance = log_variance + torch.log(apart + SMALLEST_SPREAD)
        return pose, following, command, log_variance, correlation

    def flow_loss(self, features: Tensor, wanted: Tensor, answers: tuple[Tensor, ...]) -> Tensor:
        """What the flow is off by, (N, W - 1, 20); it learns what the regression leaves.

        Args:
            features: of the pairs; they and the regression's answers are taken as given.
            wanted: Shape (N, W - 1, 20), packed commands.
            answers: what `answers` returns for the features alone.
        """
        assert self.flow is not None
        command, log_variance = answers[2].detach(), answers[3].detach()
        log_variance = log_variance - self.log_scale
        left = (wanted - command) * torch.exp(-0.5 * log_variance)
        return self.flow.loss(features.detach(), left.clamp(-LARGEST_RESIDUAL, LARGEST_RESIDUAL))

    def answers(
        self, features: Tensor, dreamed: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Features of pairs to what `forward` returns."""
        pose, following, command, log_variance = self.heads(features).float().chunk(4, -1)
        scale, shift = self.std, self.mean
        log_variance = log_variance.clamp(-12, 4) + 2 * torch.log(scale)
        return (
            pose * scale + shift,
            following * scale + shift,
            command * scale + shift,
            log_variance + self._calibrated("log_scale", dreamed),
            self._calibrated("correlation", dreamed).expand_as(log_variance),
        )

    def _calibrated(self, name: str, dreamed: Tensor | None) -> Tensor:
        seen = self.get_buffer(name)
        if dreamed is None:
            return seen
        told = dreamed[:, None, None]
        # Not `seen + told * (other - seen)`: a graph would hold that difference and not `other`,
        # and who goes on from it would find no certainty on dreams.
        return (1 - told) * seen + told * self.get_buffer(f"dreamed_{name}")

    def commands(self, frames: Tensor) -> Tensor:
        """Commands along sequences of F frames of any length, (N, F - 1, 20) packed.

        Windows follow on one another with as little overlap as possible: what gradients flow
        through in training. Planning averages all windows, see
        `wm_planner.inverse_dynamics.sliding_windows`.
        """
        window, length = self.settings.window, frames.shape[1]
        if length < window:
            frames = torch.cat([frames, frames[:, -1:].expand(-1, window - length, -1, -1)], 1)
        latest = frames.shape[1] - window
        starts = [min(start, latest) for start in range(0, length - 1, window - 1)]
        cut = torch.stack([frames[:, start : start + window] for start in starts], 1)
        command = self(cut.flatten(0, 1))[2].unflatten(0, cut.shape[:2])
        parts = [
            # The last window may begin within the one before it.
            command[:, n, n * (window - 1) - start :]
            for n, start in enumerate(starts)
        ]
        return torch.cat(parts, 1)[:, : length - 1]


class _Mixer(nn.Module):
    """Mixes pairs with pairs, then channels with channels (Tolstikhin et al. 2021, MLP-Mixer).

    It begins as the identity, so that a window begins as the pairs that it consists of.
    """

    def __init__(self, pairs: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.along = nn.Linear(pairs, 4 * pairs)
        self.back = nn.Linear(4 * pairs, pairs)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)
        for layer in (self.back, self.down):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.back(functional.gelu(self.along(self.norm(x).transpose(1, 2))))
        x = x + mixed.transpose(1, 2)
        return x + self.down(functional.gelu(self.up(self.norm(x))))


def _as_if_calibrated(
    module: nn.Module, weights: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Runs of before there was a calibration say nothing about it: leave their variances."""
    assert isinstance(module, InverseDynamics)
    for name in CALIBRATED:
        weights.setdefault(prefix + name, torch.zeros_like(module.get_buffer(name)))

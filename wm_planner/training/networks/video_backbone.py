"""A pretrained image-to-video network made into an action-conditioned, causal world model.

The backbone is the U-Net of Stable Video Diffusion (Blattmann et al. 2023) as diffusers has it. Its
temporal layers are converted to causal ones (`training/causal_conversion.py`), each frame gets its
own noise level (Diffusion Forcing, Chen et al. 2024) and its own action, added to the embedding of
the noise level where every residual block reads it (as Vid2World injects actions). The last layer
of the action path starts at zero: before training, the network is the converted backbone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from wm_planner import actions
from wm_planner.errors import ConfigurationError
from wm_planner.training.causal_conversion import Conversion, make_causal

BACKBONE = "UNetSpatioTemporalConditionModel"
CONDITIONING_FILE = "action_conditioning.safetensors"
CONVERTED = "causal"  # in config.json: never extrapolate what was extrapolated already


class VideoBackbone(nn.Module):
    """Clean latent video from a noisy one; see the module's docstring."""

    action_mean: Tensor
    action_std: Tensor

    def __init__(
        self,
        unet: Any,
        action_mean: Tensor | None = None,
        action_std: Tensor | None = None,
        converted: bool = False,
    ) -> None:
        """Convert a network and add the actions to it.

        Args:
            unet: a `UNetSpatioTemporalConditionModel`; it is converted in place.
            action_mean, action_std: Shape (20,), of the actions in the training set; None for 0
                and 1.
            converted: the weights are those of a network that was converted before.
        """
        super().__init__()
        if type(unet).__name__ != BACKBONE:
            raise ConfigurationError(f"backbone is a {type(unet).__name__}, expected a {BACKBONE}")
        self.unet = unet
        self.conversion: Conversion = make_causal(unet, extrapolate=not converted)
        width = unet.time_embedding.linear_2.out_features
        size = actions.ACTION_SIZE
        self.action = nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, width))
        self.no_action = nn.Parameter(torch.zeros(width))
        nn.init.zeros_(self.action[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.action[2].bias)  # type: ignore[arg-type]
        mean = torch.zeros(size) if action_mean is None else action_mean
        self.register_buffer("action_mean", mean)
        self.register_buffer("action_std", torch.ones(size) if action_std is None else action_std)
        self._condition: Tensor | None = None
        for module in unet.modules():
            if type(module).__name__ == "SpatioTemporalResBlock":
                module.register_forward_pre_hook(self._put_condition_in, with_kwargs=True)

    def forward(
        self,
        noisy: Tensor,
        sigma: Tensor,
        image: Tensor,
        context: Tensor,
        time_ids: Tensor,
        action: Tensor,
        action_given: Tensor,
    ) -> Tensor:
        """Predict the clean video, with the preconditioning of EDM (Karras et al. 2022, table 1).

        Args:
            noisy: Shape (N, F, C, h, w), `clean + sigma * noise`, scaled latents.
            sigma: Shape (N, F), deviation of each frame's noise, above 0.
            image: Shape (N, C, h, w), latent of the picture the video starts from.
            context: Shape (N, S, width), embedding of that picture, or of a text.
            time_ids: Shape (N, 3), frames per second - 1, motion bucket, augmentation noise.
            action: Shape (N, F, 20), what leads to each frame.
            action_given: Shape (N, F), 0 or 1.

        Returns:
            Shape (N, F, C, h, w).
        """
        given = action_given[..., None]
        told = self.action((action - self.action_mean) / self.action_std)
        u = self.unet
        level = u.time_proj(0.25 * sigma.log().flatten()).to(noisy.dtype)
        extra = u.add_embedding(u.add_time_proj(time_ids.flatten()).view(len(time_ids), -1))
        condition = u.time_embedding(level).unflatten(0, sigma.shape) + extra[:, None]
        self._condition = (condition + given * told + (1 - given) * self.no_action).flatten(0, 1)
        s = sigma[..., None, None, None]
        inputs = noisy / (s.square() + 1).sqrt()
        inputs = torch.cat([inputs, image[:, None].expand_as(noisy)], 2)
        # The network's own level is put aside by the hook: it knows only one for all frames.
        velocity = u(inputs, sigma.new_zeros(()), context, time_ids, return_dict=False)[0]
        return noisy / (s.square() + 1) - velocity * s / (s.square() + 1).sqrt()

    def save(self, folder: Path) -> None:
        """Write the weights so that `open_video_backbone` finds them, without pickle."""
        self.unet.register_to_config(**{CONVERTED: True})
        self.unet.save_pretrained(folder / "unet")
        own = {k: v for k, v in self.state_dict().items() if not k.startswith("unet.")}
        save_file(own, folder / CONDITIONING_FILE)

    def _put_condition_in(
        self, block: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Replace a residual block's time embedding (N * F, width) by one that knows its frame."""
        if "temb" in named:
            return inputs, {**named, "temb": self._condition}
        return (inputs[0], self._condition, *inputs[2:]), named


def open_video_backbone(
    folder: Path, action_mean: Tensor | None = None, action_std: Tensor | None = None
) -> VideoBackbone:
    """Load a backbone from this machine; nothing is downloaded.

    Args:
        folder: a pipeline of diffusers such as Stable Video Diffusion, its `unet` folder, or what
            `VideoBackbone.save` wrote.
        action_mean, action_std: as for `VideoBackbone`; saved ones go before them.
    """
    try:
        from diffusers import UNetSpatioTemporalConditionModel
    except ImportError as error:
        raise ConfigurationError(
            f"diffusers cannot be imported ({error}); video backbones need it: "
            "pip install 'wm_planner[diffusers]'"
        ) from error
    weights = folder / "unet" if (folder / "unet").is_dir() else folder
    try:
        config = json.loads((weights / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{folder}: no config.json of a network in it: {error}; expected the folder of "
            "a diffusers pipeline or of its unet"
        ) from error
    kind = config.get("_class_name")
    if kind != BACKBONE:
        raise ConfigurationError(f"{weights}: holds a {kind}, expected a {BACKBONE}")
    unet = UNetSpatioTemporalConditionModel.from_pretrained(
        weights, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
    )
    backbone = VideoBackbone(unet, action_mean, action_std, config.get(CONVERTED, False))
    conditioning = folder / CONDITIONING_FILE
    if conditioning.exists():
        backbone.load_state_dict(load_file(conditioning), strict=False)
    return backbone

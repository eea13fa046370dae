"""Runs an image-to-video pipeline of diffusers: the only place, beside training, that knows it.

diffusers and torch are imported when a pipeline is opened, not with this module. Pipelines differ
in what they call things and in what they take; what is passed on is read off their signature.
"""

from __future__ import annotations

import inspect
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from wm_planner.errors import ConfigurationError, DataError

logger = logging.getLogger(__name__)

DTYPES = ("bfloat16", "float16", "float32")
DEVICES = ("auto", "cpu", "cuda")
INDEX_FILE = "model_index.json"


class VideoPipeline:
    """One pipeline, ready to run; nothing is downloaded and no pickle is opened."""

    def __init__(self, folder: Path, dtype: str = "bfloat16", device: str = "auto") -> None:
        """Load it.

        Args:
            folder: as `save_pretrained` writes it, with `model_index.json`.
            dtype: of DTYPES.
            device: of DEVICES; auto takes CUDA where torch finds it.
        """
        if not (folder / INDEX_FILE).is_file():
            missing = f"has no {INDEX_FILE}" if folder.is_dir() else "is no folder"
            raise ConfigurationError(
                f"checkpoint {folder} {missing}; expected a pipeline as diffusers saves it"
            )
        try:
            import diffusers
            import torch
        except ImportError as error:
            raise ConfigurationError(
                f"diffusers and torch are needed for video pipelines: {_line(error)}; "
                "pip install 'wm_planner[diffusers]'"
            ) from error
        self._torch, self.folder = torch, folder
        found = torch.cuda.is_available()
        if device == "cuda" and not found:
            raise ConfigurationError("device is 'cuda', torch finds no CUDA device; expected cpu")
        try:
            self._pipeline: Any = diffusers.DiffusionPipeline.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                local_files_only=True,
                use_safetensors=True,
            )
        except Exception as error:  # diffusers and transformers have no common base for theirs
            raise ConfigurationError(
                f"checkpoint {folder} cannot be loaded: {_line(error)}"
            ) from error
        self.kind = type(self._pipeline).__name__
        self._known = set(inspect.signature(self._pipeline.__call__).parameters)
        if not {"image", "num_frames", "generator"} <= self._known:
            raise ConfigurationError(
                f"checkpoint {folder} is a {self.kind}, expected an image-to-video pipeline "
                "(one called with image, num_frames and generator)"
            )
        if not self.takes_text:
            logger.warning("%s takes no text: instructions will not steer its dreams", self.kind)
        self._pipeline.to("cuda" if found and device != "cpu" else "cpu")
        self._pipeline.set_progress_bar_config(disable=True)

    @property
    def takes_text(self) -> bool:
        """Whether a prompt changes the video."""
        return "prompt" in self._known

    def possible_frames(self, wanted: int) -> int:
        """Return the nearest number of frames, at least `wanted`, that its decoder can make.

        Decoders that compress time by a factor c make n c + 1 frames.
        """
        names = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio")
        factors = (getattr(self._pipeline, name, None) for name in names)
        factor = next((factor for factor in factors if factor), 1)
        return math.ceil((wanted - 1) / factor) * factor + 1

    def generate(
        self,
        image: np.ndarray,
        prompt: str,
        frames: int,
        fps: float,
        seed: int,
        steps: int = 0,
        guidance: float = 0.0,
    ) -> np.ndarray:
        """Return a video that starts from an image.

        Args:
            image: Shape (h, w, 3), uint8.
            prompt: what shall happen; left out where the pipeline takes no text.
            frames: how many, the first being the image.
            fps: told to pipelines that want to know, Hz.
            seed: of its noise.
            steps: denoising steps, 0 for the pipeline's own default.
            guidance: scale of classifier-free guidance, 0 for the pipeline's own default.

        Returns:
            Shape (frames, h, w, 3), uint8.
        """
        import PIL.Image

        height, width = image.shape[:2]
        given: dict[str, Any] = {
            "image": PIL.Image.fromarray(image),
            "prompt": prompt,
            "height": height,
            "width": width,
            "num_frames": frames,
            "generator": self._torch.Generator("cpu").manual_seed(seed),
            "output_type": "np",
            **dict.fromkeys(("fps", "frame_rate", "target_fps"), round(fps)),
        }
        if steps:
            given["num_inference_steps"] = steps
        if guidance:
            given |= dict.fromkeys(("guidance_scale", "max_guidance_scale"), guidance)
        try:
            video = self._pipeline(**{k: v for k, v in given.items() if k in self._known}).frames[0]
        except Exception as error:  # sizes it cannot make, memory or packages it lacks
            raise ConfigurationError(
                f"{self.kind} cannot make {frames} frames of {height}x{width}: {_line(error)}"
            ) from error
        video = np.asarray(video)
        if video.shape != (frames, height, width, 3):
            raise ConfigurationError(
                f"{self.kind} made a video of shape {video.shape}, expected "
                f"{(frames, height, width, 3)}; choose a size and number of frames it can make"
            )
        if not np.isfinite(video).all():
            raise DataError(f"{self.kind} made a video with NaN in it; try dtype float32")
        return np.round(video * 255).clip(0, 255).astype(np.uint8)


def _line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

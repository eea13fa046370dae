"""Shift-tolerant LPIPS: how different two pictures look to a network that forgives small shifts.

Ghildyal and Liu 2022, "Shift-tolerant Perceptual Similarity Metric", by their own package and
weights (`stlpips-pytorch`, BSD-2-Clause), which come in its wheel. It lies in this part because it
needs torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch

BATCH = 16
# What the package imports without declaring it, for debugging and for other variants of the
# metric than the one below; a torchvision for another torch would even fail to load. Remove when
# the package does not import them any more.
_UNUSED = {"torchvision": ("models",), "IPython": ("embed",), "torchsummary": ("summary",)}


def available() -> bool:
    """Return whether the package is installed."""
    return importlib.util.find_spec("stlpips_pytorch") is not None


def perceptual_distance() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the metric: two arrays of uint8 images (N, h, w, 3) to distances (N,), 0 for equal."""
    placed = [name for name in _UNUSED if name not in sys.modules]
    for name in placed:
        sys.modules[name] = _empty_module(name)
    try:
        stlpips = importlib.import_module("stlpips_pytorch.stlpips")
    finally:
        for name in placed:
            del sys.modules[name]
    network = stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False)

    @torch.no_grad()
    def distance(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
        parts = [
            network(_tensor(images[i : i + BATCH]), _tensor(truth[i : i + BATCH]))
            for i in range(0, len(images), BATCH)
        ]
        return torch.cat(parts).reshape(-1).numpy() if parts else np.zeros(0, np.float32)

    return distance


def _tensor(images: np.ndarray) -> torch.Tensor:
    """Images (N, h, w, 3) uint8 as the metric wants them: (N, 3, h, w) from -1 to 1."""
    return torch.from_numpy(np.moveaxis(images, -1, 1).astype(np.float32) / 127.5 - 1.0)


def _empty_module(name: str) -> ModuleType:
    module = ModuleType(name)
    for attribute in _UNUSED[name]:
        setattr(module, attribute, None)
    return module

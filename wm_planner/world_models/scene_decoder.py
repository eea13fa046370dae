"""Paints decoded frames over the newest one that was observed, with a graph of the bundle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wm_planner.bundle import SCENE_DECODER, Bundle, TensorSpec
from wm_planner.errors import BundleError, ShapeError
from wm_planner.onnx_session import OnnxSession, OnnxSettings


class SceneDecoder:
    """The graph `scene_decoder`: what does not move is taken from the scene, the rest is painted.

    Args:
        bundle: a world model's with that graph.
        encode: the same model's encoder.
        onnx: where it runs, None for the defaults.

    Raises:
        BundleError: its inputs are not those of this bundle's latents and images.
    """

    def __init__(
        self, bundle: Bundle, encode: Callable[[np.ndarray], np.ndarray],
        onnx: OnnxSettings | None = None,
    ) -> None:  # fmt: skip
        manifest = bundle.manifest
        spec = manifest.graphs[SCENE_DECODER]
        ((_, size),) = manifest.cameras.items()
        image = (size.height, size.width, 3)
        expected = (
            TensorSpec("latent", "float32", ("N", *manifest.latent_shape)),
            TensorSpec("scene", "uint8", ("S", *image)),
            TensorSpec("scene_latent", "float32", ("S", *manifest.latent_shape)),
            TensorSpec("row", "int64", ("N",)),
        )
        if spec.inputs != expected:
            raise BundleError(
                f"{bundle.folder / spec.file}: takes {_tell(spec.inputs)}, "
                f"expected {_tell(expected)}"
            )
        self._graph = OnnxSession(SCENE_DECODER, bundle.graphs[SCENE_DECODER], spec, onnx)
        self._encode = encode

    def decode(self, latents: np.ndarray, scenes: np.ndarray) -> np.ndarray:
        """Turn latents (N, *latent_shape) into images (N, h, w, 3) uint8.

        Args:
            latents: of N frames.
            scenes: S images of the model's size, each for N / S frames that follow each other.
        """
        rows = rows_of_scenes(len(latents), len(scenes))
        return self._graph.run(
            latent=latents, scene=scenes, scene_latent=self._encode(scenes), row=rows
        )["image"]


def rows_of_scenes(frames: int, scenes: int) -> np.ndarray:
    """Return which of S scenes each of N frames belongs to, shape (N,), or raise ShapeError."""
    if scenes < 1 or frames % scenes:
        raise ShapeError(
            f"scene: got {scenes} images for {frames} latents, expected one, one for each, or one "
            "for every so many"
        )
    return np.repeat(np.arange(scenes), frames // scenes)


def _tell(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in tensors) or "nothing"

"""A joint embedding of images and texts that the user brings, such as CLIP exported to ONNX.

Images are encoded here. Texts are not: a text encoder needs its tokenizer, which is code. Their
embeddings are made once, with the tools that the model comes with, and read from a JSON file of
vectors by instruction.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from wm_planner.errors import ConfigurationError, UnknownNameError
from wm_planner.onnx_session import OnnxSession, OnnxSettings, describe_graph
from wm_planner.scorers.scorer import LatentJudge
from wm_planner.types import Goal


class OwnEmbedding:
    """An image encoder and embeddings of instructions, of one joint space.

    Args:
        image_encoder: ONNX file with one input (N, 3, h, w) float32, RGB, and one output (N, d)
            or several of which the first counts.
        text_embeddings: JSON object of instruction to list of d numbers.
        mean: of red, green and blue, 0 to 1, that is subtracted from images.
        std: of the same, that they are then divided by.
        onnx: where the graph runs.
    """

    def __init__(
        self, image_encoder: Path, text_embeddings: Path, mean: tuple[float, ...],
        std: tuple[float, ...], onnx: OnnxSettings | None = None,
    ) -> None:  # fmt: skip
        graph = _read(image_encoder)
        spec = describe_graph(image_encoder.name, graph)
        shape = spec.inputs[0].shape if len(spec.inputs) == 1 else ()
        sized = len(shape) == 4 and shape[1] == 3 and all(isinstance(n, int) for n in shape[2:])
        if not sized or spec.inputs[0].dtype != "float32":
            got = ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in spec.inputs)
            raise ConfigurationError(
                f"{image_encoder}: takes {got}, expected one float32 input [N, 3, height, width]"
            )
        self._size = (int(shape[2]), int(shape[3]))
        self._input, self._output = spec.inputs[0].name, spec.outputs[0].name
        self._graph = OnnxSession("image_encoder", graph, spec, onnx)
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)
        self._texts = _read_texts(text_embeddings)
        self._texts_file = text_embeddings

    def similarity(
        self, latents: np.ndarray, goal: Goal, world_model: LatentJudge, scene: np.ndarray | None
    ) -> np.ndarray:
        """Return the cosine between each decoded frame and the instruction, shape (N,)."""
        if goal.instruction not in self._texts:
            raise UnknownNameError("instruction", str(goal.instruction), self._texts)
        frames = world_model.decode(latents.astype(np.float32), scene)
        shown = _unit(self.embed(frames))
        asked = _unit(self._texts[goal.instruction])
        if shown.shape[-1] != asked.shape[-1]:
            raise ConfigurationError(
                f"{self._texts_file}: embeddings have {asked.shape[-1]} numbers, the image "
                f"encoder's {shown.shape[-1]}"
            )
        cosine: np.ndarray = shown @ asked
        return cosine

    def embed(self, frames: np.ndarray) -> np.ndarray:
        """Encode images (N, h, w, 3) uint8 of any size, (N, d)."""
        import cv2  # only for those who bring a model: importing the package must stay light

        # Stretched, not cropped: what matters may be at the edge.
        size = self._size[::-1]
        sized = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in frames])
        scaled = (sized.astype(np.float32) / 255 - self._mean) / self._std
        inputs = {self._input: scaled.transpose(0, 3, 1, 2)}
        return np.asarray(self._graph.run(**inputs)[self._output], np.float64)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _read_texts(path: Path) -> dict[str, np.ndarray]:
    try:
        table = {key: np.array(row, np.float64) for key, row in json.loads(_read(path)).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path}: is no JSON object of number lists: {error}") from error
    shapes = {row.shape for row in table.values()}
    finite = all(np.isfinite(row).all() and row.any() for row in table.values())
    if len(shapes) != 1 or len(next(iter(shapes))) != 1 or not finite:
        raise ConfigurationError(
            f"{path}: expected lists of equally many finite numbers, not all zero, by instruction"
        )
    return table


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(length, 1e-12)
    return unit

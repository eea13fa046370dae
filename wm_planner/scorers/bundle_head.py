"""A head that a world model bundle may have besides the graphs that it must have."""

from __future__ import annotations

import numpy as np

from wm_planner.bundle import Bundle
from wm_planner.errors import BundleError
from wm_planner.onnx_session import OnnxSession, OnnxSettings
from wm_planner.types import Goal
from wm_planner.words import word_vector


class BundleHead:
    """One such graph: latents and the instruction's words in, a number for each row out."""

    def __init__(self, name: str, bundle: Bundle, onnx: OnnxSettings | None = None) -> None:
        """Load it.

        Args:
            name: of the graph, of the scorer and of its stage of training.
            bundle: of the world model.
            onnx: where it runs, None for the defaults.

        Raises:
            BundleError: the bundle has no such graph.
        """
        if name not in bundle.graphs:
            raise BundleError(
                f"scorer {name}: {bundle.folder} has no graph {name!r}; train one with "
                f"{name}_steps in the training configuration and export it, or take the scorer "
                "out of planner.yaml"
            )
        self.manifest = bundle.manifest
        self._graph = OnnxSession(name, bundle.graphs[name], bundle.manifest.graphs[name], onnx)

    @property
    def latents_shape(self) -> tuple[int | str, ...]:
        """What the graph looks at, with its free first axis."""
        return self._graph.spec.inputs[0].shape

    def judge(self, latents: np.ndarray, goal: Goal) -> np.ndarray:
        """Return what it says of each row, shape (N,), float64.

        Args:
            latents: as `latents_shape`.
            goal: with an instruction.
        """
        vocabulary, examples = self.manifest.vocabulary, self.manifest.instructions
        asked = word_vector(goal.instruction, vocabulary, examples)
        seen, words = (tensor.name for tensor in self._graph.spec.inputs)
        (said,) = self._graph.run(
            **{seen: latents, words: np.broadcast_to(asked, (len(latents), len(asked)))}
        ).values()
        return np.asarray(said, np.float64)

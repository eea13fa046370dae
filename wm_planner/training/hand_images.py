"""The hands of a whole training set, drawn where they are told to be, kept in the run's folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from wm_planner import actions
from wm_planner.robot.hand_renderer import HandRenderer

BATCH = 512


@dataclass(frozen=True, eq=False)
class HandImages:
    """Drawn targets.

    Attributes:
        renderer: draws further ones.
        of_frames: Shape (F, 2, h, w), uint8, of every frame's target.
    """

    renderer: HandRenderer
    of_frames: np.ndarray

    @staticmethod
    def drawn_once(path: Path, renderer: HandRenderer, targets: np.ndarray) -> HandImages:
        """Draw all targets (F, 20), packed, or read what was drawn before."""
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            shape = (len(targets), 2, renderer.height, renderer.width)
            out = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
            for start in tqdm(range(0, len(targets), BATCH), "drawing hands", unit_scale=BATCH,
                              unit="frame", disable=None):  # fmt: skip
                part = slice(start, start + BATCH)
                out[part] = renderer.render(actions.unpack(targets[part]))
            out.flush()
            os.replace(partial, path)
        return HandImages(renderer, np.load(path, mmap_mode="r"))

    def draw(self, targets: np.ndarray) -> np.ndarray:
        """Draw targets (..., 20), packed."""
        return self.renderer.render(actions.unpack(targets))

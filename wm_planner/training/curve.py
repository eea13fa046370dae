"""Figures of a training run, as JSON lines and, where it is installed, for TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

EVERY = 50  # steps between entries
WINDOW = 100  # steps that an entry is the mean of


class Curve:
    """``curve.jsonl`` and TensorBoard events in a stage's folder."""

    def __init__(self, folder: Path, start: int) -> None:
        """Continue the curve at step ``start``."""
        path = folder / "curve.jsonl"
        kept = []
        if path.exists():  # drop what a killed run wrote after its last checkpoint
            kept = [
                line for line in path.read_text().splitlines() if json.loads(line)["step"] < start
            ]
        path.write_text("".join(line + "\n" for line in kept))
        self._file = path.open("a")
        self._window: list[dict[str, float]] = []
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._board: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=start)
        except ImportError:
            self._board = None

    def add(self, step: int, figures: dict[str, float]) -> None:
        """Note a step's figures."""
        self._window = [*self._window[1 - WINDOW :], figures]
        if (step + 1) % EVERY == 0:
            mean = {name: self.recent(name) for name in figures}
            self._file.write(json.dumps({"step": step, **mean}) + "\n")
            self._file.flush()
            if self._board:
                for name, value in mean.items():
                    self._board.add_scalar(name, value, step)

    def show(self, name: str, picture: np.ndarray, step: int) -> None:
        """Show TensorBoard a picture (h, w, 3) uint8."""
        if self._board:
            self._board.add_image(name, picture, step, dataformats="HWC")

    def recent(self, name: str) -> float:
        """Mean of a figure over the newest steps."""
        return float(np.mean([figures[name] for figures in self._window]))

    def close(self) -> None:
        """Finish both files."""
        self._file.close()
        if self._board:
            self._board.close()

"""The training loop that all models share: schedule, averaging, checkpoints, curves.

A run that is interrupted, by Ctrl-C or by a power cut, continues from its newest checkpoint with
the same random numbers, so it ends where an uninterrupted run ends.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from wm_planner.errors import ConfigurationError
from wm_planner.training.optimisers import build_optimisers

logger = logging.getLogger(__name__)

#: (model, numpy generator, progress 0..1) -> (loss, figures to log).
LossFunction = Callable[[nn.Module, np.random.Generator, float], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class LoopSettings:
    """One training run.

    Attributes:
        steps: optimiser steps in all.
        learning_rate: at the top of the schedule.
        warmup: steps of linear warm-up.
        constant: share of the run before the linear decay to zero starts.
        average: decay of the exponential moving average of the weights, per step.
        clip: largest gradient norm.
        checkpoint_every: steps between checkpoints.
        seed: of weights, batches and noise.
    """

    steps: int
    learning_rate: float = 2e-3
    warmup: int = 60
    constant: float = 0.4
    average: float = 0.998
    clip: float = 1.0
    checkpoint_every: int = 500
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        left = (1 - step / self.steps) / (1 - self.constant)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup) * (min(1.0, left) + 0.005)


def train(model: nn.Module, loss: LossFunction, settings: LoopSettings, folder: Path) -> nn.Module:
    """Run or continue a training run.

    Args:
        model: freshly initialised; replaced by the checkpoint's weights where one exists.
        loss: draws its own batch from the generator it is given.
        settings: the run; a checkpoint of other settings is refused.
        folder: ``checkpoint.pt``, ``curve.jsonl`` and TensorBoard events go here.

    Returns:
        The averaged model, in evaluation mode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimisers = build_optimisers(model, settings.learning_rate)
    averaged = torch.optim.swa_utils.AveragedModel(
        model,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.average),
        use_buffers=False,
    )
    generator = np.random.default_rng([settings.seed, 11])
    torch.manual_seed(settings.seed)
    checkpoint = folder / "checkpoint.pt"
    start = 0
    if checkpoint.exists():
        start = _restore(checkpoint, settings, model, averaged, optimisers, generator)
    curve = _Curve(folder, start)
    began = time.monotonic()
    bar = tqdm(range(start, settings.steps), initial=start, total=settings.steps,
               desc=folder.name, unit="step", mininterval=5.0, disable=None)  # fmt: skip
    model.train()
    step = start
    try:
        for step in bar:
            rate = settings.rate(step)
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.zero_grad(set_to_none=True)
            value, figures = loss(model, generator, step / settings.steps)
            if not torch.isfinite(value):
                raise FloatingPointError(f"{folder.name}: loss is {value.item()} at step {step}")
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            for optimiser in optimisers:
                optimiser.step()
            averaged.update_parameters(model)
            curve.add(step, {"loss": value.item(), "rate": rate, **figures})
            if (step + 1) % settings.checkpoint_every == 0:
                _save(checkpoint, step + 1, settings, model, averaged, optimisers, generator)
                bar.set_postfix(loss=f"{curve.recent('loss'):.4f}")
    except KeyboardInterrupt:
        _save(checkpoint, step, settings, model, averaged, optimisers, generator)
        logger.warning("%s: interrupted at step %d; run again to continue", folder.name, step)
        raise
    finally:
        curve.close()
        bar.close()
    _save(checkpoint, settings.steps, settings, model, averaged, optimisers, generator)
    logger.info(
        "%s: %d steps in %.0f s", folder.name, settings.steps - start, time.monotonic() - began
    )
    result = averaged.module
    # Running statistics are not averaged: take the newest.
    result.load_state_dict({**result.state_dict(), **dict(model.named_buffers())})
    return result.eval()


class _Curve:
    """Figures of the run as JSON lines and, where it is installed, TensorBoard."""

    def __init__(self, folder: Path, start: int) -> None:
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
        self._window = [*self._window[-99:], figures]
        if (step + 1) % 50 == 0:
            mean = {name: self.recent(name) for name in figures}
            self._file.write(json.dumps({"step": step, **mean}) + "\n")
            self._file.flush()
            if self._board:
                for name, value in mean.items():
                    self._board.add_scalar(name, value, step)

    def recent(self, name: str) -> float:
        return float(np.mean([figures[name] for figures in self._window]))

    def close(self) -> None:
        self._file.close()
        if self._board:
            self._board.close()


def _save(path: Path, step: int, settings: LoopSettings, model: nn.Module,
          averaged: nn.Module, optimisers: list[torch.optim.Optimizer],
          generator: np.random.Generator) -> None:  # fmt: skip
    state = {
        "step": step,
        "settings": asdict(settings),
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "numpy": json.dumps(generator.bit_generator.state),
        "torch": torch.get_rng_state(),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def _restore(path: Path, settings: LoopSettings, model: nn.Module, averaged: nn.Module,
             optimisers: list[torch.optim.Optimizer],
             generator: np.random.Generator) -> int:  # fmt: skip
    state = torch.load(path, weights_only=True)
    if state["settings"] != asdict(settings):
        changed = [k for k, v in asdict(settings).items() if state["settings"].get(k) != v]
        raise ConfigurationError(
            f"{path}: the checkpoint was made with other settings ({', '.join(changed)}); "
            "continue with the same ones or choose a new --out folder"
        )
    model.load_state_dict(state["model"])
    averaged.load_state_dict(state["averaged"])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    generator.bit_generator.state = json.loads(state["numpy"])
    torch.set_rng_state(state["torch"])
    return int(state["step"])

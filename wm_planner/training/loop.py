"""The training loop that all models share: schedule, averaging, checkpoints, curves.

A run that is interrupted, by Ctrl-C or by a power cut, continues from its newest checkpoint with
the same random numbers, so it ends where an uninterrupted run ends.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from wm_planner.training.checkpoint import Checkpoint
from wm_planner.training.curve import Curve
from wm_planner.training.optimisers import build_optimisers
from wm_planner.training.parts import copy_with, whole
from wm_planner.training.spreading import spread
from wm_planner.training.workers import Workers

logger = logging.getLogger(__name__)

#: (model, numpy generator, progress 0..1) -> (loss, figures to log).
Figures = Mapping[str, float | Tensor]
LossFunction = Callable[[nn.Module, np.random.Generator, float], tuple[Tensor, Figures]]


#: (averaged model in evaluation mode, steps done) -> picture (h, w, 3) uint8 for TensorBoard.
DrawFunction = Callable[[nn.Module, int], np.ndarray]


@dataclass(frozen=True)
class Sampling:
    """What to look at while a model trains.

    Attributes:
        every: steps; also after the last one.
        draw: writes its own files.
    """

    every: int
    draw: DrawFunction


@dataclass(frozen=True)
class LoopSettings:
    """One training run.

    Attributes:
        steps: optimiser steps in all.
        learning_rate: at the top of the schedule.
        warmup: steps of linear warm-up.
        constant: share of the run before the linear decay to zero starts.
        average: decay of the exponential moving average of the weights, per step; less at first,
            so that a short run forgets the weights that it began with.
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


def train(
    model: nn.Module, loss: LossFunction, settings: LoopSettings, folder: Path,
    workers: Workers | None = None, sampling: Sampling | None = None,
) -> nn.Module:  # fmt: skip
    """Run or continue a training run.

    Args:
        model: freshly initialised, the same in all processes, on the device to train on; replaced
            by the checkpoint's weights where one exists. Sharded workers leave a part of it.
        loss: draws its own batch from the generator it is given.
        settings: the run; a checkpoint of other settings is refused.
        folder: ``checkpoint.pt``, ``curve.jsonl`` and TensorBoard events go here.
        workers: the processes that train it together; None finds them in the environment.
        sampling: pictures to draw on the way; the weights do not depend on it.

    Returns:
        The averaged model, in evaluation mode, whole in every process.
    """
    workers = workers or Workers()
    folder.mkdir(parents=True, exist_ok=True)
    held = spread(model, workers, moving_average(settings.average))
    averaged, optimisers = held.averaged, build_optimisers(model, settings.learning_rate)
    rank = [workers.rank] if workers.rank else []  # each process draws other batches
    generator = np.random.default_rng([settings.seed, 11, *rank])
    torch.manual_seed(settings.seed + workers.rank)
    checkpoint = Checkpoint(
        folder / "checkpoint.pt", asdict(settings), model, averaged, optimisers, generator, workers
    )
    start = checkpoint.restore()
    curve = Curve(folder, start) if workers.first else None
    began = time.monotonic()
    bar = tqdm(range(start, settings.steps), initial=start, total=settings.steps,
               desc=folder.name, unit="step", mininterval=5.0,
               disable=None if workers.first else True)  # fmt: skip
    model.train()
    done = start
    try:
        for step in bar:
            rate = settings.rate(step)
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.zero_grad(set_to_none=True)
            value, figures = held.loss(loss, generator, step / settings.steps)
            if not torch.isfinite(value):
                raise FloatingPointError(f"{folder.name}: loss is {value.item()} at step {step}")
            value.backward()
            norm = held.settle_gradients(settings.clip)
            if not torch.isfinite(norm):  # one step on it would spoil every weight
                raise FloatingPointError(f"{folder.name}: gradient is {norm} at step {step}")
            for optimiser in optimisers:
                optimiser.step()
            averaged.update_parameters(model)
            done = step + 1
            if curve:
                own = {name: float(figure) for name, figure in figures.items()}
                usual = {"loss": value.item(), "rate": rate, "gradient": norm.item()}
                curve.add(step, usual | own)
            if (step + 1) % settings.checkpoint_every == 0:
                checkpoint.save(done)
                if curve:
                    bar.set_postfix(loss=f"{curve.recent('loss'):.4f}")
            if sampling and (done % sampling.every == 0 or done == settings.steps):
                finished = _finished(averaged, model)  # takes all processes where it is in parts
                if curve:
                    curve.show("samples", _sample(sampling, finished, done), done)
    except KeyboardInterrupt:
        if workers.count == 1:  # several need not have been at the same step
            checkpoint.save(done)
            logger.warning("%s: interrupted at step %d; run again to continue", folder.name, done)
        raise
    finally:
        if curve:
            curve.close()
        bar.close()
    checkpoint.save(settings.steps)
    logger.info(
        "%s: %d steps in %.0f s", folder.name, settings.steps - start, time.monotonic() - began
    )
    return _finished(averaged, model)


def moving_average(
    decay: float,
) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """The average's update; after n steps it looks back over n / 9 of them, or as decay says."""

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], newest: Sequence[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        share = 1 - min(decay, (1 + steps) / (10 + steps))
        for old, new in zip(averaged, newest, strict=True):
            old.lerp_(new.to(old.dtype), share)

    return update


def _finished(averaged: torch.optim.swa_utils.AveragedModel, model: nn.Module) -> nn.Module:
    """A copy of the averaged model in evaluation mode, whole in every process."""
    result = copy_with(averaged.module, lambda parameter: whole(parameter).clone())
    # Running statistics are not averaged: take the newest.
    result.load_state_dict({**result.state_dict(), **dict(model.named_buffers())})
    return result.eval()


def _sample(sampling: Sampling, model: nn.Module, step: int) -> np.ndarray:
    with torch.random.fork_rng(devices=[]):  # training goes on with its own random numbers
        return sampling.draw(model.to("cpu"), step)

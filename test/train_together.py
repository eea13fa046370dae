"""What test_workers.py starts in two processes: a model of one layer, trained together."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from torch import nn

from wm_planner.training.loop import LoopSettings, train
from wm_planner.training.workers import Workers


def loss_of(model, generator):
    batch = torch.from_numpy(generator.normal(size=(8, 4))).float()
    return (model(batch) - batch.sum(1, keepdim=True)).square().mean()


def main(folder: Path, stop: int) -> None:
    workers = Workers()
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    steps = 0

    def loss(model, generator, progress):
        nonlocal steps
        steps += 1
        if steps > stop:
            os._exit(0)  # as if it had been killed between two checkpoints, for exit handlers too
        return loss_of(model, generator), {}

    settings = LoopSettings(steps=12, warmup=1, checkpoint_every=4)
    train(model, loss, settings, folder, workers)
    weights = {"weight": model.weight.tolist(), "bias": model.bias.tolist()}
    (folder / f"rank_{workers.rank}.json").write_text(json.dumps(weights))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""What test_spreading.py starts in two processes: a model of all kinds of layers, in parts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wm_planner.training import loop
from wm_planner.training.workers import Workers


class Several(nn.Module):
    """Sizes that two cannot share evenly; losses call its methods, and read a lone number."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten()
        )
        self.blocks = nn.ModuleList(nn.Linear(20, 20) for _ in range(3))
        self.narrow = nn.ModuleList([nn.ModuleList([nn.Linear(20, 7)]), nn.Linear(7, 7)])
        self.answer = nn.Linear(7, 1)
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.nothing = nn.utils.skip_init(nn.Linear, 7, 0)  # as a head for no objects

    def read(self, pictures):
        x = self.look(pictures)
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        x = self.narrow[1](torch.tanh(self.narrow[0][0](x)))
        return self.answer(x) + self.nothing(x).sum(1, keepdim=True)


def loss_of(model, generator):
    pictures = torch.from_numpy(generator.normal(size=(8, 3, 4, 4))).float()
    with torch.no_grad():
        model.read(pictures)  # as a loss that asks the model for what it shall learn
    got = model.read(pictures) * model.log_scale.exp()
    return (got - pictures.mean((1, 2, 3))[:, None]).square().mean()


def parts(tensors) -> int:
    """Numbers that this process holds."""
    return sum(getattr(t, "to_local", lambda t=t: t)().numel() for t in tensors)


def main(folder: Path, stop: int, sharded: bool) -> None:
    torch.set_num_threads(1)
    workers = Workers(sharded)
    torch.manual_seed(0)
    model, steps, optimisers, held, drawn = Several(), 0, [], [], []

    def build(*arguments):
        optimisers.extend(build_optimisers(*arguments))
        return optimisers

    build_optimisers, loop.build_optimisers = loop.build_optimisers, build
    begin, loop.spread = loop.spread, lambda *arguments: held.append(begin(*arguments)) or held[0]

    def loss(model, generator, progress):
        nonlocal steps
        steps += 1
        if steps > stop:
            os._exit(0)  # as if it had been killed between two checkpoints, for exit handlers too
        return 5 * loss_of(model, generator), {}

    def draw(model, step):
        drawn.append(model.read(torch.ones(1, 3, 4, 4)).sum().item())
        return np.zeros((2, 2, 3), np.uint8)

    with workers.first_alone() as first:
        if first:
            with workers.first_alone():  # without the others, who must not wait for another
                folder.mkdir(exist_ok=True)
    settings = loop.LoopSettings(steps=6, warmup=1, checkpoint_every=2, average=0.5, clip=0.2)
    trained = loop.train(model, loss, settings, folder, workers, loop.Sampling(2, draw))
    torch.save(trained.state_dict(), folder / f"rank_{workers.rank}.pt")
    kept = {
        "whole": sum(p.numel() for p in trained.parameters()),
        "model": parts(model.parameters()),
        "averaged": parts(held[0].averaged.parameters()),
        "gradients": parts(p.grad for p in model.parameters()),
        "optimisers": parts(
            value
            for optimiser in optimisers
            for state in optimiser.state.values()
            for name, value in state.items()
            if name != "step"
        ),
        "drawn": drawn,
    }
    (folder / f"rank_{workers.rank}.json").write_text(json.dumps(kept))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["sharded"])

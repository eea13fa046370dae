"""How the processes that train a model hold it: whole each, or every one a part.

With parts (FSDP2, torch's `fully_shard`; after ZeRO, Rajbhandari et al. 2020) a process keeps one
Nth of every parameter, and of its gradient, average and optimiser state. Layers are gathered when
they compute, forwards and backwards, and let go of afterwards. What is computed is the same: each
process draws its own batches, and gradients are averaged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.optim.swa_utils import AveragedModel

from wm_planner.training.devices import device_of
from wm_planner.training.parts import copy_with
from wm_planner.training.workers import Workers

LARGEST_LAYER = 2**25  # numbers that are gathered at once, where a network's lists allow
CONTAINERS = (nn.ModuleList, nn.ModuleDict)  # are never called themselves


class Spread(ABC):
    """A model in training and its moving average.

    Attributes:
        model: the one to train; its parameters are those that optimisers get.
        averaged: held in the same way.
    """

    model: nn.Module
    averaged: AveragedModel

    @abstractmethod
    def loss(
        self, loss: Callable[..., Any], generator: np.random.Generator, progress: float
    ) -> Any:
        """Return what ``loss(model, generator, progress)`` returns."""

    @abstractmethod
    def settle_gradients(self, limit: float) -> Tensor:
        """Average gradients over the processes, and scale them down to a norm of at most `limit`.

        Returns:
            Their norm before that, of the whole model, shape ().
        """


class Replicated(Spread):
    """Every process holds the whole model; also what one process does alone."""

    def __init__(self, model: nn.Module, workers: Workers, update: Callable[..., None]) -> None:
        """Begin the average, which `update` brings up to date."""
        self.model, self._workers = model, workers
        self.averaged = AveragedModel(model, multi_avg_fn=update, use_buffers=False)

    def loss(
        self, loss: Callable[..., Any], generator: np.random.Generator, progress: float
    ) -> Any:
        return loss(self.model, generator, progress)

    def settle_gradients(self, limit: float) -> Tensor:
        self._workers.average([p.grad for p in self.model.parameters() if p.grad is not None])
        return nn.utils.clip_grad_norm_(self.model.parameters(), limit)


class Sharded(Spread):
    """Every process holds a part of each parameter. The model is changed in place."""

    def __init__(self, model: nn.Module, workers: Workers, update: Callable[..., None]) -> None:
        """Let go of the other processes' parts, and begin the average of this one's."""
        # A model that is sharded cannot be copied, and two whole ones may not fit.
        empty = copy_with(model, lambda parameter: parameter.to("meta"))
        self.model, self._workers = model, workers
        self._step = _Step(model)
        mesh = init_device_mesh(device_of(model).type, (workers.count,))
        for parameter in model.parameters():  # FSDP knows no other layout, such as channels last
            parameter.data = parameter.data.contiguous()
        # FSDP cuts neither lone numbers nor nothing at all.
        uncut = {p for p in model.parameters() if p.ndim == 0 or p.numel() == 0}
        for layer in (*_layers(model), self._step):
            held = fully_shard(layer, mesh=mesh, ignored_params=uncut)
            held.set_force_sum_reduction_for_comms(True)  # gloo has no mean
        parts = iter(list(model.parameters()))
        self.averaged = AveragedModel(
            copy_with(empty, lambda _: next(parts).detach().clone()),
            multi_avg_fn=update, use_buffers=False,
        )  # fmt: skip

    def loss(
        self, loss: Callable[..., Any], generator: np.random.Generator, progress: float
    ) -> Any:
        return self._step(loss, generator, progress)

    def settle_gradients(self, limit: float) -> Tensor:
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        whole = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
        self._workers.average(whole)  # FSDP has averaged the others
        parts = [gradient.to_local() for gradient in gradients if isinstance(gradient, DTensor)]
        square = nn.utils.get_total_norm(parts).square()
        distributed.all_reduce(square)
        norm = (square + nn.utils.get_total_norm(whole).square()).sqrt()
        scale = (limit / (norm + 1e-6)).clamp(max=1.0)
        for gradient in (*parts, *whole):
            gradient.mul_(scale)
        return norm


class _Step(nn.Module):
    """A loss as a network's forward: whatever of the model it calls finds its weights there."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, loss: Callable[..., Any], *arguments: Any) -> Any:
        return loss(self.model, *arguments)


def spread(model: nn.Module, workers: Workers, update: Callable[..., None]) -> Spread:
    """Hold a model as the workers were told to; `update` brings its average up to date."""
    return (Sharded if workers.sharded else Replicated)(model, workers, update)


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """What is gathered at once, inner layers first: entries of lists, which are called one by one.

    Entries with more than `LARGEST_LAYER` numbers are taken apart where they have lists themselves.
    """
    for child in module.children():
        size = sum(parameter.numel() for parameter in child.parameters())
        called = isinstance(module, nn.ModuleList) and not isinstance(child, CONTAINERS)
        if not called or size > LARGEST_LAYER:
            yield from _layers(child)
        if called and size:
            yield child

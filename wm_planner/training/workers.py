"""Processes that train one model together, each on batches of its own.

`wm-planner train --processes N`, or torchrun on several machines, starts them; torch.distributed
tells each who it is. Their gradients are averaged, so N processes do what one would with N times
the batch. The first one writes everything.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed, nn


class Workers:
    """This process among those that train together; alone by default."""

    def __init__(self) -> None:
        """Join the others where torchrun's environment says that there are some."""
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not distributed.is_initialized():
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            )
            # Its threads must not outlive the interpreter: one that asks for the interpreter's
            # lock while that is being taken down ends the whole process with SIGABRT.
            atexit.register(distributed.destroy_process_group)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def average_gradients(self, model: nn.Module) -> None:
        """Give every process the mean of all processes' gradients."""
        if self.count == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, part in zip(gradients, flat.split(sizes), strict=True):
            gradient.copy_(part.view_as(gradient))

    def gather(self, state: Any) -> list[Any]:
        """Return every process's ``state``, by rank."""
        if self.count == 1:
            return [state]
        states: list[Any] = [None] * self.count
        distributed.all_gather_object(states, state)
        return states

    @contextmanager
    def first_alone(self) -> Iterator[bool]:
        """The block runs in all processes, but the others wait until the first has left it.

        Yields:
            `first`.
        """
        if not self.first:
            self._meet()
        yield self.first
        if self.first:
            self._meet()

    def _meet(self) -> None:
        if self.count > 1:
            distributed.barrier()

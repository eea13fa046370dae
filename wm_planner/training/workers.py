"""Processes that train one model together, each on batches of its own.

`wm-planner train --processes N`, or torchrun on several machines, starts them; torch.distributed
tells each who it is. Their gradients are averaged, so N processes do what one would with N times
the batch. The first one writes everything. Each holds the whole model, or a part of it: `spreading`
has both.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed

from wm_planner.errors import ConfigurationError


class Workers:
    """This process among those that train together; alone by default."""

    def __init__(self, sharded: bool = False) -> None:
        """Join the others where torchrun's environment says that there are some.

        Args:
            sharded: each is to hold only its part of a model.

        Raises:
            ConfigurationError: there are no others to hold the other parts.
        """
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.sharded, self._inside = sharded, False
        if sharded and self.count == 1:
            raise ConfigurationError(
                "sharded: got 1 process, expected at least 2, each with its part of the network; "
                "start them with --processes N or torchrun, or leave it out"
            )
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

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors, in place, by their means over all processes."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.count
        sizes = [tensor.numel() for tensor in tensors]
        for tensor, part in zip(tensors, flat.split(sizes), strict=True):
            tensor.copy_(part.view_as(tensor))

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

        Such a block inside another changes nothing, so the first may enter it without the others.

        Yields:
            `first`.
        """
        outermost, self._inside = not self._inside, True
        if outermost and not self.first:
            self._meet()
        yield self.first
        if outermost:
            self._inside = False
            if self.first:
                self._meet()

    def _meet(self) -> None:
        if self.count > 1:
            distributed.barrier()

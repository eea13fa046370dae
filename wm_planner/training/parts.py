"""Tensors of which every process holds a part, the whole of them, and copies of networks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """Gather a tensor's parts, in all processes at once; one that is whole is returned as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def part_like(value: Tensor, like: Tensor) -> Tensor:
    """Return this process's part of a whole tensor, cut as another one along its first axis.

    Args:
        value: the same in all processes; with as many rows as `like`.
        like: a part; where it is whole, so is what is returned: `value` itself.
    """
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(value.detach(), like.device_mesh, like.placements, src_data_rank=None)


def gathered(state: Any, keep: bool) -> Any:
    """Return a nested state with whole tensors, in all processes at once.

    Args:
        state: dicts and lists of anything.
        keep: whether this process wants it; None takes the place of what was cut for others, so
            that only one process needs the memory.
    """
    if isinstance(state, dict):
        return {name: gathered(value, keep) for name, value in state.items()}
    if isinstance(state, list):
        return [gathered(value, keep) for value in state]
    if not isinstance(state, DTensor):
        return state
    value = state.full_tensor()
    return value.cpu() if keep else None


def copy_with(module: nn.Module, make: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return a deep copy of a network in which each parameter is what `make` made of it."""
    made: dict[int, Any] = {
        id(p): nn.Parameter(make(p.detach()), p.requires_grad) for p in module.parameters()
    }
    result: nn.Module = copy.deepcopy(module, made)
    return result

"""Where training computes: the CPU, or a GPU."""

from __future__ import annotations

import os
import platform

import numpy as np
import torch
from torch import Tensor, nn

from wm_planner.errors import ConfigurationError


def choose_device(name: str) -> torch.device:
    """Return the device of this process.

    Args:
        name: "auto" for a GPU where there is one, else the CPU; or a torch device ("cpu", "cuda",
            "cuda:1"). Of several processes on a machine each takes a GPU of its own.

    Raises:
        ConfigurationError: torch does not know the name, or finds no such GPU.
    """
    found = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if found else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigurationError(
            f"device: got {name!r}, expected auto, cpu, cuda or cuda:N"
        ) from None
    if device.type == "cuda":
        index = device.index
        if index is None:
            index = int(os.environ.get("LOCAL_RANK", "0"))
        if index >= found:
            raise ConfigurationError(
                f"device: got {name!r} (GPU {index}), but torch {torch.__version__} finds {found} "
                "GPUs; choose cpu, or install a torch built for your GPU"
            )
        device = torch.device("cuda", index)
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32 where bfloat16 is not used anyway
    return device


def device_of(model: nn.Module) -> torch.device:
    """Return where a network's weights are."""
    return next(model.parameters()).device


def put(array: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor there; on the CPU they share memory."""
    return torch.from_numpy(array).to(device)


def half_precision(device: torch.device) -> torch.autocast:
    """Return the context in which matrices are multiplied in bfloat16."""
    return torch.autocast(device.type, torch.bfloat16)


def tell_machine(device: torch.device) -> str:
    """Return what a training run's record says about the machine."""
    cores = f"{os.cpu_count()} CPU cores, {platform.machine()}, torch {torch.__version__}"
    return f"{torch.cuda.get_device_name(device)}, {cores}" if device.type == "cuda" else cores

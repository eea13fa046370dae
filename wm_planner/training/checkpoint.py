"""Everything that a training loop needs to go on as if it had not stopped."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wm_planner.errors import ConfigurationError
from wm_planner.training.devices import device_of
from wm_planner.training.parts import gathered, part_like
from wm_planner.training.workers import Workers


@dataclass(frozen=True)
class Checkpoint:
    """One file, and what is saved in it.

    Attributes:
        path: of the file.
        settings: of the run; a checkpoint of other settings is refused.
        model, averaged, optimisers: their states are saved.
        generator: of this process, as torch's own.
        workers: all of them go on with their own random numbers.
    """

    path: Path
    settings: dict[str, Any]
    model: nn.Module
    averaged: nn.Module
    optimisers: list[torch.optim.Optimizer]
    generator: np.random.Generator
    workers: Workers

    def save(self, step: int) -> None:
        """Write it; all processes must call this at the same step."""
        random = self.workers.gather(
            {"numpy": json.dumps(self.generator.bit_generator.state),
             "torch": torch.get_rng_state(), "device": self._device_state()}
        )  # fmt: skip
        trained = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }
        trained = gathered(trained, self.workers.first)
        if not self.workers.first:
            return
        state = {"step": step, "settings": self.settings, **trained, "random": random}
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)

    def restore(self) -> int:
        """Take everything from the file, where there is one, and return the next step."""
        if not self.path.exists():
            return 0
        # Mapped: of a sharded run every process reads its part only.
        state = torch.load(self.path, map_location="cpu", weights_only=True, mmap=True)
        if state["settings"] != self.settings:
            changed = [k for k, v in self.settings.items() if state["settings"].get(k) != v]
            raise ConfigurationError(
                f"{self.path}: the checkpoint was made with other settings "
                f"({', '.join(changed)}); continue with the same ones or choose a new --out folder"
            )
        if len(state["random"]) != self.workers.count:
            raise ConfigurationError(
                f"{self.path}: the checkpoint was made by {len(state['random'])} processes, "
                f"not {self.workers.count}; continue with as many or choose a new --out folder"
            )
        _load(self.model, state["model"])
        _load(self.averaged, state["averaged"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            _load_optimiser(optimiser, saved)
        random = state["random"][self.workers.rank]
        self.generator.bit_generator.state = json.loads(random["numpy"])
        torch.set_rng_state(random["torch"])
        if random.get("device") is not None and device_of(self.model).type == "cuda":
            torch.cuda.set_rng_state(random["device"], device_of(self.model))
        return int(state["step"])

    def _device_state(self) -> Tensor | None:
        """Random numbers of a GPU; a checkpoint may be continued elsewhere, but not bit-exactly."""
        device = device_of(self.model)
        return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _load(module: nn.Module, saved: dict[str, Tensor]) -> None:
    own = module.state_dict()
    parts = {k: part_like(value, own[k]) if k in own else value for k, value in saved.items()}
    module.load_state_dict(parts)


def _load_optimiser(optimiser: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Take a state of whole tensors; those with axes are cut as their parameters are."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state = {
        index: {
            name: part_like(value, parameters[index]).clone() if value.ndim else value.clone()
            for name, value in values.items()
        }
        for index, values in saved["state"].items()
    }
    optimiser.load_state_dict({**saved, "state": state})

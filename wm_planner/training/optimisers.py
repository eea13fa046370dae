"""Muon for matrices and convolutions, AdamW for the rest, on one learning-rate schedule.

Muon (Jordan et al. 2024) orthogonalises each matrix's momentum; at equal CPU time it trained these
networks best. That takes whole matrices: where processes hold parts of them, each gathers one
after the other, computes the same and keeps its part.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from wm_planner.training.parts import part_like, whole


class MatrixMuon(torch.optim.Muon):
    """torch's Muon, on one whole matrix after the other."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update."""
        for group in self.param_groups:
            options = {name: value for name, value in group.items() if name != "params"}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                momentum = state.setdefault("momentum_buffer", torch.zeros_like(parameter.grad))
                matrix = nn.Parameter(whole(parameter.detach()))
                matrix.grad = whole(parameter.grad)
                alone = torch.optim.Muon([matrix], **options)
                buffer = alone.state[matrix]["momentum_buffer"] = whole(momentum)
                alone.step()
                parameter.copy_(part_like(matrix, parameter))
                momentum.copy_(part_like(buffer, momentum))


class ConvMuon(torch.optim.Optimizer):
    """Muon on convolution kernels, each flattened to (out, in * height * width)."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float = 0.01) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": 0.95})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad.flatten(1)
                state = self.state[parameter]
                momentum = state.setdefault("momentum", torch.zeros_like(gradient))
                momentum.lerp_(gradient, 1 - group["momentum"])
                ahead = gradient.lerp(momentum, group["momentum"])
                direction = part_like(_orthogonal(whole(ahead)), ahead)
                scale = 0.2 * max(gradient.shape) ** 0.5 * group["lr"]
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_((direction * scale).view_as(parameter))


def _orthogonal(matrix: Tensor) -> Tensor:
    """Newton-Schulz iteration towards the nearest orthogonal matrix, Muon's coefficients."""
    x = (matrix / (matrix.norm() + 1e-9)).bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T.contiguous() if tall else x
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
    return (x.T if tall else x).float()


def build_optimisers(model: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Split a model's parameters between Muon and AdamW.

    Hidden matrices and kernels go to Muon; biases, embeddings, positions, conditioning and the
    layers at either end go to AdamW.
    """
    kernels, matrices, rest = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim == 4 and name.endswith("weight"):
            kernels.append(parameter)
        elif parameter.ndim == 2 and "blocks." in name and "modulation" not in name:
            matrices.append(parameter)
        else:
            rest.append(parameter)
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, learning_rate, weight_decay=0.02, betas=(0.9, 0.97))
    ]
    if matrices:
        optimisers.append(
            MatrixMuon(matrices, learning_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
        )
    if kernels:
        optimisers.append(ConvMuon(kernels, learning_rate))
    return optimisers

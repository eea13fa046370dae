"""The average of the weights over a training run."""

import pytest
import torch
from torch import nn

from wm_planner.training.loop import moving_average


@pytest.mark.parametrize("steps", [20, 450, 6000])
def test_the_average_of_any_run_forgets_the_weights_that_it_began_with(steps):
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=moving_average(0.998))
    averaged.update_parameters(model)
    nn.init.ones_(model.weight)
    for _ in range(steps):
        averaged.update_parameters(model)
    assert averaged.module.weight.item() > 0.999


def test_the_average_of_a_long_run_looks_back_as_far_as_its_decay_says():
    one, other = torch.zeros(1), torch.ones(1)
    moving_average(0.998)([one], [other], 10**6)
    assert one.item() == pytest.approx(0.002)

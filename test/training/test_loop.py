"""The average of the weights over a training run, and what ends one."""

import pytest
import torch
from torch import nn

from wm_planner.training.loop import LoopSettings, moving_average, train


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


def test_a_gradient_that_is_not_finite_ends_the_run_before_it_spoils_the_weights(tmp_path):
    """The loss is finite: the slope of a square root at 0 is not."""
    calls = iter(range(5))

    def loss(model, generator, progress):
        out = model(torch.ones(1, 2)).sum()
        return (torch.sqrt(0 * out) if next(calls) == 2 else out), {}

    settings = LoopSettings(steps=5, checkpoint_every=1)
    with pytest.raises(FloatingPointError, match=f"{tmp_path.name}: gradient is nan at step 2"):
        train(nn.Linear(2, 1), loss, settings, tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 2
    assert all(weight.isfinite().all() for weight in saved["model"].values())

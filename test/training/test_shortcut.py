"""Shortcut training: what a long step should land on."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.training.shortcut import SHARE, mixed, two_half_steps  # noqa: E402

BATCH, HORIZON = 64, 3


class Told:
    """A network whose answer depends on where it is asked, and that notes the questions."""

    def __init__(self):
        self.asked = []

    def __call__(self, context, noisy, signal, condition, stride, hands, widths):
        self.asked.append((noisy, signal, stride))
        assert hands is None
        told = condition + widths
        return noisy * 0.5 + signal[..., None, None] * told[:, None, None, None]


def test_a_long_step_lands_where_two_short_ones_do():
    torch.manual_seed(0)
    clean, noise = torch.randn(2, BATCH, HORIZON, 4, 2)
    context, condition = torch.randn(BATCH, 2, 4, 2), torch.arange(BATCH) / 8.0
    signal = torch.rand(BATCH, HORIZON)
    widths, model = torch.linspace(1, 2, BATCH), Told()
    level, stride, wanted = two_half_steps(
        model,
        context,
        clean,
        noise,
        signal,
        (condition,),
        (None, widths),
        np.random.default_rng(0),
    )
    own = round(SHARE * BATCH)
    assert (stride[:own] > 0).all() and not stride[own:].any()
    torch.testing.assert_close(level[own:], signal[own:])
    torch.testing.assert_close(wanted[own:], clean[own:])
    assert set(stride[:own, 0].tolist()) == {0.25, 0.5, 1.0}
    assert (level + stride <= 1 + 1e-6).all()

    (here, at, step), (there, later, again) = model.asked
    torch.testing.assert_close(here, mixed(clean, noise, level)[:own])
    torch.testing.assert_close(2 * step, stride[:own])
    torch.testing.assert_close(later, at + step)
    torch.testing.assert_close(again, step)

    def follow(latent, level, step, answer):
        return latent + (answer - latent) * (step / (1 - level))[..., None, None]

    one = model(None, here, at, condition[:own], step, None, widths[:own])
    torch.testing.assert_close(there, follow(here, at, step, one))
    two = model(None, there, later, condition[:own], step, None, widths[:own])
    two = follow(there, later, step, two)
    torch.testing.assert_close(follow(here, at, 2 * step, wanted[:own]), two)

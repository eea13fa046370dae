"""The sampler: levels as asked, and exact where the network is."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.bundle import SamplerSpec
from wm_planner.world_models.sampler import denoise, signal_levels


def test_that_levels_are_the_models_own_unless_told():
    spec = SamplerSpec(steps=3, signals=(0.0, 0.1, 0.9))
    assert signal_levels(spec).tolist() == [0.0, 0.1, 0.9]
    assert signal_levels(spec, 4).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert signal_levels(SamplerSpec(steps=2)).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_that_a_perfect_network_is_believed_at_once(generator, steps):
    clean = generator.normal(size=(2, 3))
    signals = signal_levels(SamplerSpec(), steps)
    result = denoise(lambda noisy, signal, stride: clean, generator.normal(size=(2, 3)), signals)
    np.testing.assert_array_equal(result, clean)


def test_that_the_network_sees_the_signal_it_is_told(generator):
    """With a constant prediction, x_s must be s clean + (1 - s) noise at every level."""
    clean, noise = generator.normal(size=(2, 4))
    seen = []

    def network(noisy: np.ndarray, signal: float, stride: float) -> np.ndarray:
        seen.append((noisy, signal, stride))
        return clean

    denoise(network, noise, np.array([0.0, 0.3, 0.8]))
    assert [round(stride, 6) for *_, stride in seen] == [0.3, 0.5, 0.2]
    for noisy, signal, _ in seen:
        np.testing.assert_allclose(noisy, signal * clean + (1 - signal) * noise, atol=1e-6)

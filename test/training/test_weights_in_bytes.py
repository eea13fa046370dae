"""Kernels that are stored in 8 bits: how far off, and that nothing is lost by doing it again."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

import numpy as np  # noqa: E402
from torch import nn  # noqa: E402

from wm_planner.bundle import GraphSpec  # noqa: E402
from wm_planner.onnx_session import OnnxSession  # noqa: E402
from wm_planner.training.onnx_export import export, in_bytes, round_weights  # noqa: E402


@pytest.fixture
def kernel(generator):
    """Rows of all sizes, one of them empty."""
    kernel = generator.normal(size=(64, 16, 3, 3)) * np.logspace(-9, 2, 64)[:, None, None, None]
    kernel[5] = 0
    return kernel.astype(np.float32)


def test_each_row_is_within_half_a_step(kernel):
    whole, scale = in_bytes(kernel)
    assert whole.dtype == np.int8 and np.abs(whole.astype(int)).max() == 127
    largest = np.abs(kernel).max((1, 2, 3), keepdims=True)
    assert (np.abs(whole * scale - kernel) <= 0.501 * largest / 126.9).all()
    assert not (whole * scale)[5].any()


def test_what_was_rounded_is_rounded_to_itself(kernel):
    whole, scale = in_bytes(kernel)
    again, same = in_bytes(whole * scale)
    np.testing.assert_array_equal(again * same, whole * scale)


def test_graphs_answer_as_torch_and_take_half_the_room():
    model = nn.Sequential(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3)).eval()
    sizes, image = {}, torch.randn(2, 32, 9, 9)
    for in_8_bits in (False, True):
        round_weights(model, in_8_bits)
        graph = export("model", model, {"input": image}, ("answer",), "N", in_8_bits=in_8_bits)
        assert isinstance(graph.spec, GraphSpec)
        got = OnnxSession("model", graph.data, graph.spec).run(input=image.numpy())["answer"]
        with torch.no_grad():
            np.testing.assert_allclose(got, model(image).numpy(), atol=1e-4)
        sizes[in_8_bits] = len(graph.data)
    assert sizes[True] < 0.6 * sizes[False]

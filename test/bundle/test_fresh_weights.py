"""Fresh weights: every learned number changes, what was not learned stays, the seed decides."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tiny_models import write_tiny_bundles

from wm_planner.bundle import WORLD_MODEL, load_bundle, with_fresh_weights
from wm_planner.bundle.fresh_weights import _redraw
from wm_planner.errors import BundleError
from wm_planner.world_models.onnx_world_model import OnnxWorldModel


@pytest.fixture
def bundle(tmp_path, generator):
    folder, _ = write_tiny_bundles(tmp_path, generator.uniform(-1, 1, (2, 20)))
    return load_bundle(folder, WORLD_MODEL)


def weights(graph: bytes) -> dict[str, np.ndarray]:
    model = onnx.load_from_string(graph)
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def test_that_arrays_of_floats_change_and_nothing_else_does(bundle):
    fresh = with_fresh_weights(bundle, seed=1)
    for name in bundle.graphs:
        old, new = weights(bundle.graphs[name]), weights(fresh.graphs[name])
        assert list(old) == list(new)
        for key, value in old.items():
            learned = value.dtype == np.float32 and value.ndim > 0
            assert old[key].shape == new[key].shape
            assert np.array_equal(value, new[key]) != learned, f"{name}: {key}"


def test_that_the_scale_is_that_of_a_fresh_network(bundle):
    read = weights(with_fresh_weights(bundle, seed=1).graphs["encoder"])["read"]
    assert read.std() == pytest.approx(np.sqrt(2.0 / sum(read.shape)), rel=0.05)


def test_that_the_seed_decides(bundle):
    one, same, other = (with_fresh_weights(bundle, seed) for seed in (1, 1, 2))
    assert one.graphs == same.graphs
    assert one.graphs != other.graphs


def test_that_the_result_runs_and_has_another_hash(bundle):
    fresh = with_fresh_weights(bundle, seed=1)
    assert fresh.bundle_hash != bundle.bundle_hash
    OnnxWorldModel(fresh).encode(np.zeros((1, 6, 8, 3), np.uint8))


def test_that_constants_stay_and_no_control_without_change(bundle):
    keep = with_constants(bundle, "denoiser", "progress")
    old, new = (weights(b.graphs["denoiser"]) for b in (bundle, with_fresh_weights(keep, seed=1)))
    np.testing.assert_array_equal(old["progress"], new["progress"])
    with pytest.raises(BundleError, match=r"value\.onnx: 40 numbers are constants, only 0"):
        with_fresh_weights(with_constants(bundle, "value", "poses"), seed=1)


def with_constants(bundle, graph, *names):
    spec = dataclasses.replace(bundle.manifest.graphs[graph], constants=names)
    graphs = {**bundle.manifest.graphs, graph: spec}
    return dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, graphs=graphs))


def test_that_values_stored_as_a_list_change_and_masks_stay():
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2, 3], np.ones(6))
    mask = numpy_helper.from_array(np.array([0.0, -np.inf], np.float32), "mask")
    graph = onnx.helper.make_graph([], "g", [], [], [values, mask])
    data, drawn, kept = _redraw(
        onnx.helper.make_model(graph).SerializeToString(), frozenset(), _rng()
    )
    assert (drawn, kept) == (6, 2)
    new = weights(data)
    assert not (new["w"] == 1).any()
    assert np.isinf(new["mask"][1])


def test_that_weights_in_8_bits_are_as_large_as_others():
    whole = numpy_helper.from_array(np.ones((32, 16, 3, 3), np.int8), "kernel")
    scale = numpy_helper.from_array(np.full((32, 1, 1, 1), 7, np.float32), "kernel.scale")
    codes = numpy_helper.from_array(np.ones(5, np.int8), "codes")  # without factors: no weights
    graph = onnx.helper.make_graph([], "g", [], [], [whole, scale, codes])
    data, drawn, kept = _redraw(
        onnx.helper.make_model(graph).SerializeToString(), frozenset(), _rng()
    )
    assert (drawn, kept) == (32 * 16 * 9 + 32, 0)
    new = weights(data)
    assert (new["codes"] == 1).all()
    kernel = new["kernel"] * new["kernel.scale"]
    assert kernel.std() == pytest.approx(np.sqrt(2.0 / ((32 + 16) * 9)), rel=0.05)
    assert abs(kernel.mean()) < 0.05 * kernel.std()


def test_that_damaged_files_are_refused(bundle):
    with pytest.raises(BundleError, match="damaged"):
        _redraw(bundle.graphs["value"][:-3], frozenset(), _rng())


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)

"""Graphs are checked against their manifest when loaded, inputs when run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_models import build_graph, inverse_dynamics_graph

from wm_planner.errors import BundleError, ConfigurationError, ShapeError
from wm_planner.onnx_session import OnnxSession, OnnxSettings, describe_graph


@pytest.fixture
def graph() -> bytes:
    return build_graph(*inverse_dynamics_graph())


def test_that_a_graph_runs_by_names(graph):
    session = OnnxSession("idm", graph, describe_graph("idm.onnx", graph))
    pair = np.arange(80.0).reshape(2, 2, 2, 10)
    answer = session.run(pair=pair)
    assert sorted(answer) == ["command", "log_variance", "next_pose", "pose"]
    np.testing.assert_array_equal(answer["command"], pair[:, 1].reshape(2, 20))


def test_that_a_graph_that_differs_from_its_manifest_is_refused(graph):
    spec = describe_graph("idm.onnx", graph)
    renamed = dataclasses.replace(spec.inputs[0], name="frames")
    with pytest.raises(BundleError, match=r"graph has \['pair'\], manifest has \['frames'\]"):
        OnnxSession("idm", graph, dataclasses.replace(spec, inputs=(renamed,)))
    larger = dataclasses.replace(spec.outputs[0], shape=("N", 21))
    outputs = (larger, *spec.outputs[1:])
    with pytest.raises(BundleError, match=r"pose is float32 \['N', 20\].*float32 \['N', 21\]"):
        OnnxSession("idm", graph, dataclasses.replace(spec, outputs=outputs))


def test_that_wrong_shapes_are_named(graph):
    session = OnnxSession("idm", graph, describe_graph("idm.onnx", graph))
    with pytest.raises(ShapeError, match=r"idm, input pair has shape \(2, 2, 2, 11\), expected"):
        session.run(pair=np.zeros((2, 2, 2, 11)))
    with pytest.raises(ShapeError, match=r"no inputs \['other'\]"):
        session.run(pair=np.zeros((2, 2, 2, 10)), other=np.zeros(1))


def test_that_what_is_no_graph_is_refused(graph):
    with pytest.raises(BundleError, match="graph idm cannot be loaded"):
        OnnxSession("idm", b"not a graph", describe_graph("idm.onnx", graph))


def test_that_an_absent_provider_lists_the_present(graph, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    spec = describe_graph("idm.onnx", graph)
    with pytest.raises(ConfigurationError, match=r"'cuda' needs CUDA.*has CPUExecutionProvider"):
        OnnxSession("idm", graph, spec, OnnxSettings(provider="cuda"))

"""Runs ONNX graphs: the only place that knows onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime

from wm_planner.bundle import GraphSpec, TensorSpec
from wm_planner.errors import BundleError, ConfigurationError, ShapeError
from wm_planner.settings import setting

PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}
DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True)
class OnnxSettings:
    """Where and how graphs run."""

    provider: str = setting(
        "auto",
        choices=("auto", *PROVIDERS),
        help="Execution provider; auto takes CUDA where onnxruntime offers it, else the CPU.",
    )
    threads: int = setting(
        1,
        minimum=1,
        maximum=64,
        help="Threads within one operator. One per process gives the same bits everywhere.",
    )


class OnnxSession:
    """One graph, ready to run."""

    def __init__(
        self, name: str, graph: bytes, spec: GraphSpec, settings: OnnxSettings | None = None
    ) -> None:
        """Load a graph and check it against its manifest.

        Args:
            name: how errors name it.
            graph: contents of the ONNX file.
            spec: what the manifest says about it.
            settings: None for the defaults.
        """
        self.name, self.spec = name, spec
        self._session = _open(name, graph, settings or OnnxSettings())
        actual = _describe(self._session, spec.file)
        for side in ("inputs", "outputs"):
            got, expected = getattr(actual, side), getattr(spec, side)
            for problem in _differences(got, expected):
                raise BundleError(f"graph {name}, {side}: {problem}")

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run the graph once.

        Args:
            inputs: one array for each input of the graph; the type is converted.

        Returns:
            Outputs by name.
        """
        feeds, axes = {}, dict[str, int]()
        for spec in self.spec.inputs:
            array = np.ascontiguousarray(inputs.pop(spec.name), dtype=spec.dtype)
            _check_shape(f"graph {self.name}, input {spec.name}", array.shape, spec.shape, axes)
            feeds[spec.name] = array
        if inputs:
            raise ShapeError(f"graph {self.name} has no inputs {sorted(inputs)}")
        names = [spec.name for spec in self.spec.outputs]
        return dict(zip(names, self._session.run(names, feeds), strict=True))


def describe_graph(file: str, graph: bytes, constants: tuple[str, ...] = ()) -> GraphSpec:
    """Return what a manifest has to say about a graph, for writing bundles."""
    spec = _describe(_open(file, graph, OnnxSettings(provider="cpu")), file)
    return GraphSpec(file, spec.inputs, spec.outputs, constants)


def _open(name: str, graph: bytes, settings: OnnxSettings) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; they come as exceptions too
    # Waiting threads would otherwise burn the cores that the executor needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _providers(settings.provider)
    try:
        return onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # onnxruntime has no common base for its errors
        raise BundleError(f"graph {name} cannot be loaded: {error}") from error


def _providers(wanted: str) -> list[str]:
    available = onnxruntime.get_available_providers()
    if wanted == "auto":
        wanted = "cuda" if "CUDAExecutionProvider" in available else "cpu"
    first = PROVIDERS[wanted][0]
    if first not in available:
        raise ConfigurationError(
            f"provider {wanted!r} needs {first}, this onnxruntime has {', '.join(available)}"
        )
    return [provider for provider in PROVIDERS[wanted] if provider in available]


def _describe(session: onnxruntime.InferenceSession, file: str) -> GraphSpec:
    def tensors(nodes: list[onnxruntime.NodeArg]) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(node.name, DTYPES.get(node.type, node.type), tuple(_sizes(node.shape)))
            for node in nodes
        )

    return GraphSpec(file, tensors(session.get_inputs()), tensors(session.get_outputs()))


def _sizes(shape: list[int | str | None]) -> list[int | str]:
    return ["?" if size is None else size for size in shape]


def _differences(got: tuple[TensorSpec, ...], expected: tuple[TensorSpec, ...]) -> list[str]:
    """Say how a graph differs from its manifest; letters of free axes may differ."""
    names = [spec.name for spec in got]
    if names != [spec.name for spec in expected]:
        return [f"graph has {names}, manifest has {[spec.name for spec in expected]}"]
    found = []
    for ours, theirs in zip(got, expected, strict=True):
        fixed = [tuple(s if isinstance(s, int) else -1 for s in x.shape) for x in (ours, theirs)]
        if ours.dtype != theirs.dtype or fixed[0] != fixed[1]:
            found.append(
                f"{ours.name} is {ours.dtype} {list(ours.shape)} in the graph, "
                f"{theirs.dtype} {list(theirs.shape)} in the manifest"
            )
    return found


def _check_shape(
    name: str, got: tuple[int, ...], wanted: tuple[int | str, ...], axes: dict[str, int]
) -> None:
    """Check sizes; a letter means one size throughout a call."""
    same = len(got) == len(wanted) and all(
        size == (axis if isinstance(axis, int) or axis == "?" else axes.setdefault(axis, size))
        or axis == "?"
        for size, axis in zip(got, wanted, strict=True)
    )
    if not same:
        raise ShapeError(f"{name} has shape {got}, expected {list(wanted)} with {axes}")

"""Networks to ONNX graphs: weights of 16 or 8 bits on disk, single precision in computation."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from wm_planner.bundle import GraphSpec, TensorSpec
from wm_planner.bundle.manifest import SCALE

OPSET = 18
#: Smaller tensors stay in single precision: they cost nothing and hold statistics.
HALF_FROM_ELEMENTS = 2048
#: The exporter stores a linear layer's matrix transposed; this marks it behind its name.
TRANSPOSED = ".transposed"
#: Behind the names of outputs, and of buffers that are called like one, while names are given.
ANSWER, BUFFER = ".answer", ".buffer"

DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.UINT8: "uint8",
    TensorProto.INT64: "int64",
}


@dataclass(frozen=True)
class FreeAxis:
    """An axis of any size within bounds; axes of one letter have one size in a call."""

    letter: str
    minimum: int
    maximum: int


@dataclass(frozen=True)
class Exported:
    """One graph: the file's bytes and what the manifest says about it."""

    data: bytes
    spec: GraphSpec


def round_weights(model: nn.Module, in_8_bits: bool = False) -> nn.Module:
    """Round weights as `export` stores them, so that torch agrees with it.

    What was rounded before stays as it is.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if in_8_bits and _fits_in_bytes(parameter.shape):
                whole, scale = in_bytes(parameter.numpy())
                parameter.copy_(torch.from_numpy(whole * scale))
            elif parameter.numel() >= HALF_FROM_ELEMENTS:
                parameter.copy_(parameter.half().float())
    return model


def in_bytes(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A kernel as whole numbers from -127 to 127, int8, and float32 factors that broadcast."""
    largest = np.abs(kernel).max(axis=tuple(range(1, kernel.ndim)), keepdims=True)
    # Factors of few digits: products are exact, so rounding again changes nothing.
    digits, exponent = np.frexp(np.where(largest > 0, largest / 127, 1))
    scale = np.ldexp(np.ceil(digits * 2048) / 2048, exponent).astype(np.float32)
    return np.rint(kernel / scale).astype(np.int8), scale


def _fits_in_bytes(shape: Sequence[int]) -> bool:
    return len(shape) > 2 and shape[0] > 1 and int(np.prod(shape)) >= HALF_FROM_ELEMENTS


def export(
    name: str, model: nn.Module, inputs: Mapping[str, Tensor], outputs: tuple[str, ...], axis: str,
    free: Mapping[str, Mapping[int, FreeAxis]] | None = None, in_8_bits: bool = False,
) -> Exported:  # fmt: skip
    """Export a module whose inputs and outputs all have a free first axis.

    Args:
        name: of the graph; its file is ``<name>.onnx``.
        model: in evaluation mode; called with the inputs by name.
        inputs: examples by name, with at least two rows.
        outputs: names.
        axis: letter of that axis in the manifest.
        free: further free axes, by input and number; a first axis may be one of its own.
        in_8_bits: store the kernels of convolutions so, which is enough for pictures.

    Returns:
        The graph. Buffers of the module (statistics, masks, frequencies) are listed as constants.
    """
    dims = {"": torch.export.Dim(axis, min=1, max=4096)}
    shapes = {key: {0: dims[""], **_free(dims, (free or {}).get(key, {}))} for key in inputs}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            model, (), kwargs=dict(inputs), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(inputs), output_names=[name + ANSWER for name in outputs],
            dynamic_shapes=shapes,
        )  # fmt: skip
    assert program is not None
    buffer = io.BytesIO()
    onnx.save(program.model_proto, buffer)
    proto = onnx.load_from_string(buffer.getvalue())
    _name_outputs(proto, outputs)
    learned = _name_weights(proto, model)
    if in_8_bits:
        _store_in_bytes(proto, learned)
    _store_in_half(proto, learned)
    _drop_traces(proto)
    onnx.checker.check_model(proto)
    constants = tuple(
        tensor.name
        for tensor in proto.graph.initializer
        if tensor.name not in learned
        and tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)
    )
    spec = GraphSpec(
        file=f"{name}.onnx",
        inputs=tuple(
            _tensor_spec(value, shapes[value.name][0].__name__) for value in proto.graph.input
        ),
        outputs=tuple(_tensor_spec(value, axis) for value in proto.graph.output),
        constants=constants,
    )
    return Exported(proto.SerializeToString(deterministic=True), spec)


def _free(
    dims: dict[str, torch.export.Dim], axes: Mapping[int, FreeAxis]
) -> dict[int, torch.export.Dim]:
    for axis in axes.values():
        dims.setdefault(
            axis.letter, torch.export.Dim(axis.letter, min=axis.minimum, max=axis.maximum)
        )
    return {number: dims[axis.letter] for number, axis in axes.items()}


def _name_outputs(proto: onnx.ModelProto, outputs: tuple[str, ...]) -> None:
    """Give outputs their names, and buffers of the same names others: names are to be unique."""
    renamed = {name: name + BUFFER for name in outputs} | {name + ANSWER: name for name in outputs}
    for value in (*proto.graph.initializer, *proto.graph.output):
        value.name = renamed.get(value.name, value.name)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                names[position] = renamed.get(name, name)


def _name_weights(proto: onnx.ModelProto, model: nn.Module) -> set[str]:
    """Give initialisers that the exporter copied or transposed their parameter's name back.

    Returns:
        The names of all that were learned.
    """
    names = {key for key, _ in model.named_parameters()}
    known = _initializers(proto)
    left = {
        key: parameter.detach().numpy()
        for key, parameter in model.named_parameters()
        if parameter.ndim >= 2 and key not in known
    }
    renamed = {}
    for tensor in proto.graph.initializer:
        if tensor.name in names or len(tensor.dims) < 2:
            continue
        value = numpy_helper.to_array(tensor)
        for key, matrix in left.items():
            if np.array_equal(value, matrix):
                renamed[tensor.name] = key
            elif value.ndim == 2 and np.array_equal(value, matrix.T):
                renamed[tensor.name] = key + TRANSPOSED
            else:
                continue
            tensor.name = renamed[tensor.name]
            del left[key]
            break
    for node in proto.graph.node:
        for position, used in enumerate(node.input):
            node.input[position] = renamed.get(used, used)
    return names | set(renamed.values())


def _initializers(proto: onnx.ModelProto) -> set[str]:
    return {tensor.name for tensor in proto.graph.initializer}


def _store_in_half(proto: onnx.ModelProto, learned: set[str]) -> None:
    """Store large weights as float16 followed by a Cast, which runtimes fold when loading."""
    casts = []
    for tensor in proto.graph.initializer:
        size = int(np.prod(tensor.dims))
        wide_enough = size >= HALF_FROM_ELEMENTS and tensor.data_type == TensorProto.FLOAT
        if not wide_enough or tensor.name not in learned:
            continue
        name = tensor.name
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name)
        tensor.CopyFrom(half)
        _use_instead(proto, name, f"{name}/float32")
        casts.append(helper.make_node("Cast", [name], [f"{name}/float32"], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        proto.graph.node.insert(0, cast)


def _store_in_bytes(proto: onnx.ModelProto, learned: set[str]) -> None:
    """Store kernels as int8 followed by a Cast and their factors, which runtimes fold likewise."""
    nodes, scales = [], []
    for tensor in proto.graph.initializer:
        if tensor.name not in learned or not _fits_in_bytes(tensor.dims):
            continue
        name = tensor.name
        whole, scale = in_bytes(numpy_helper.to_array(tensor))
        tensor.CopyFrom(numpy_helper.from_array(whole, name))
        scales.append(numpy_helper.from_array(scale, name + SCALE))
        _use_instead(proto, name, f"{name}/float32")
        nodes += [
            helper.make_node("Cast", [name], [f"{name}/whole"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}/whole", name + SCALE], [f"{name}/float32"]),
        ]
    proto.graph.initializer.extend(scales)
    learned |= {scale.name for scale in scales}
    for node in reversed(nodes):
        proto.graph.node.insert(0, node)


def _use_instead(proto: onnx.ModelProto, name: str, other: str) -> None:
    """Have every node use another value where it used one."""
    for node in proto.graph.node:
        for position, used in enumerate(node.input):
            if used == name:
                node.input[position] = other


def _drop_traces(proto: onnx.ModelProto) -> None:
    """Remove stack traces: they name files of the training machine and change from run to run."""
    proto.doc_string = ""
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    for item in [
        *proto.graph.node,
        *proto.graph.input,
        *proto.graph.output,
        *proto.graph.value_info,
    ]:
        item.doc_string = ""
        del item.metadata_props[:]
    del proto.graph.value_info[:]


def _tensor_spec(value: onnx.ValueInfoProto, axis: str) -> TensorSpec:
    kind = value.type.tensor_type
    shape = tuple(
        axis if i == 0 else d.dim_param or d.dim_value for i, d in enumerate(kind.shape.dim)
    )
    return TensorSpec(value.name, DTYPES[kind.elem_type], shape)

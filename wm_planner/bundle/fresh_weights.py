"""Replaces the weights of a bundle by fresh random ones: the control for "does training matter?".

The runtime has neither torch nor the onnx package, and needs neither: an ONNX file is a protocol
buffer, and new weights have the size of the old ones, so they are written over them in place.
Field numbers are those of onnx.proto: ModelProto.graph = 7, GraphProto.initializer = 5,
TensorProto.dims = 1, data_type = 2, float_data = 4, name = 8, raw_data = 9.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.bundle.folder import Bundle
from wm_planner.bundle.manifest import SCALE
from wm_planner.errors import BundleError

GRAPH, INITIALIZER = 7, 5
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA = 1, 2, 4, 8, 9
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    3: np.dtype("i1"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
#: Standard deviation of whole numbers that are drawn: four of them fit into 8 bits.
WHOLE_DEVIATION = 127 / 4
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types

Field = tuple[int, int, int]  # number, first byte, one past the last byte


@dataclass(frozen=True)
class _Tensor:
    """An initialiser, and where its values are in the file."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int
    end: int

    @property
    def deviation(self) -> float:
        """Of fresh weights of this shape."""
        if len(self.shape) < 2:
            return float(self.shape[0] ** -0.5)
        ways = sum(self.shape[:2]) * np.prod(self.shape[2:], dtype=float)
        return float(np.sqrt(2.0 / ways))


def with_fresh_weights(bundle: Bundle, seed: int) -> Bundle:
    """Return the bundle with every learned initialiser drawn anew.

    Matrices and kernels are normal with the deviation of Glorot and Bengio (2010), vectors normal
    with deviation 1/sqrt(size). Those stored in 8 bits are drawn in 8 bits, and their factors set
    for the same deviation. Scalars, initialisers listed as `constants` in the manifest and those
    that hold infinities (masks) stay. The file hashes follow the new contents, so that results of
    the control can never be mistaken for the model's.

    Raises:
        BundleError: less than half of a graph's numbers could be drawn; it would be no control.
    """
    generator = np.random.default_rng(seed)
    graphs, files = {}, dict(bundle.manifest.files)
    for name, data in bundle.graphs.items():
        spec = bundle.manifest.graphs[name]
        graphs[name], drawn, kept = _redraw(data, frozenset(spec.constants), generator)
        if drawn == 0 or drawn < kept:
            raise BundleError(
                f"{bundle.folder / spec.file}: {kept} numbers are constants, only {drawn} weights"
            )
        files[spec.file] = hashlib.sha256(graphs[name]).hexdigest()
    return Bundle(bundle.folder, dataclasses.replace(bundle.manifest, files=files), graphs)


def _redraw(
    data: bytes, keep: frozenset[str], generator: np.random.Generator
) -> tuple[bytes, int, int]:
    """Return the new file, how many numbers were drawn and how many were kept."""
    tensors = {tensor.name: tensor for tensor in _initializers(data)}
    changed = bytearray(data)
    drawn = kept = 0
    for name, tensor in tensors.items():
        old = np.frombuffer(data[tensor.start : tensor.end], tensor.dtype)
        whole = tensors.get(name.removesuffix(SCALE)) if name.endswith(SCALE) else None
        if whole is not None and whole.dtype == np.int8:
            new = np.full(old.size, whole.deviation / WHOLE_DEVIATION)
        elif tensor.dtype == np.int8:
            if name + SCALE not in tensors:
                continue  # whole numbers of another kind: no weights
            new = np.rint(generator.normal(0.0, WHOLE_DEVIATION, old.size)).clip(-127, 127)
        elif name in keep or not np.isfinite(old).all():
            kept += old.size
            continue
        else:
            new = generator.normal(0.0, tensor.deviation, old.size)
        drawn += old.size
        changed[tensor.start : tensor.end] = new.astype(tensor.dtype).tobytes()
    return bytes(changed), drawn, kept


def _initializers(data: bytes) -> Iterator[_Tensor]:
    """Yield those that may be weights; scalars are parameters of operators."""
    for number, start, end in _fields(data, 0, len(data)):
        if number == GRAPH:
            for inner, first, last in _fields(data, start, end):
                if inner == INITIALIZER:
                    yield from _tensor(data, first, last)


def _tensor(data: bytes, first: int, last: int) -> Iterator[_Tensor]:
    shape: list[int] = []
    dtype, name, values = None, "", None
    for number, start, end in _fields(data, first, last):
        if number == DIMS:
            shape += _dims(data, start, end)
        elif number == DATA_TYPE:
            dtype = DTYPES.get(_varint(data, start)[0])
        elif number == NAME:
            name = data[start:end].decode()
        elif number in (FLOAT_DATA, RAW_DATA):
            values = (start, end)
    if dtype is not None and values is not None and shape:
        yield _Tensor(name, tuple(shape), dtype, *values)


def _dims(data: bytes, start: int, end: int) -> Iterator[int]:
    """Yield sizes, whether they are packed into one field or come one by one."""
    while start < end:
        value, start = _varint(data, start)
        yield value


def _fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of one protocol buffer message."""
    while start < end:
        key, start = _varint(data, start)
        wire = key & 7
        if wire == VARINT:
            stop = _varint(data, start)[1]
        elif wire == BYTES:
            length, start = _varint(data, start)
            stop = start + length
        elif wire in (FIXED32, FIXED64):
            stop = start + (4 if wire == FIXED32 else 8)
        else:
            raise BundleError(f"ONNX graph is damaged: wire type {wire} at byte {start}")
        if stop > end:
            raise BundleError(f"ONNX graph is damaged: a field at byte {start} is cut off")
        yield key >> 3, start, stop
        start = stop


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Return a number of variable length and where it ends."""
    value = shift = 0
    while start < len(data):
        byte = data[start]
        value |= (byte & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if byte < 0x80:
            return value, start
    raise BundleError("ONNX graph is damaged: a number is cut off")

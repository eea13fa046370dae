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
from typing import Any

import numpy as np

from wm_planner.bundle.folder import Bundle
from wm_planner.errors import BundleError

GRAPH, INITIALIZER = 7, 5
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA = 1, 2, 4, 8, 9
FLOAT_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types

Field = tuple[int, int, int]  # number, first byte, one past the last byte


def with_fresh_weights(bundle: Bundle, seed: int) -> Bundle:
    """Return the bundle with every floating point initialiser drawn anew.

    Matrices and kernels are normal with the deviation of Glorot and Bengio (2010), vectors normal
    with deviation 1/sqrt(size). Scalars, initialisers listed as `constants` in the manifest and
    those that hold infinities (masks) stay. The file hashes follow the new contents, so that
    results of the control can never be mistaken for the model's.

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
    changed = bytearray(data)
    drawn = kept = 0
    for number, start, end in _fields(data, 0, len(data)):
        if number == GRAPH:
            for inner, first, last in _fields(data, start, end):
                if inner == INITIALIZER:
                    count, new = _redraw_tensor(changed, data, first, last, keep, generator)
                    drawn, kept = drawn + count * new, kept + count * (not new)
    return bytes(changed), drawn, kept


def _redraw_tensor(
    changed: bytearray,
    data: bytes,
    first: int,
    last: int,
    keep: frozenset[str],
    generator: np.random.Generator,
) -> tuple[int, bool]:
    """Return how many floating point numbers the tensor has, and whether they were drawn."""
    shape: list[int] = []
    dtype, name, values = None, "", None
    for number, start, end in _fields(data, first, last):
        if number == DIMS:
            shape += _dims(data, start, end)
        elif number == DATA_TYPE:
            dtype = FLOAT_TYPES.get(_varint(data, start)[0])
        elif number == NAME:
            name = data[start:end].decode()
        elif number in (FLOAT_DATA, RAW_DATA):
            values = (start, end)
    if dtype is None or values is None or not shape:
        return 0, False  # scalars are parameters of operators
    start, end = values
    old = np.frombuffer(data[start:end], dtype)
    if name in keep or not np.isfinite(old).all():
        return old.size, False
    scale = old.size**-0.5
    if len(shape) > 1:
        scale = np.sqrt(2.0 / ((shape[0] + shape[1]) * np.prod(shape[2:], dtype=float)))
    changed[start:end] = generator.normal(0.0, scale, old.size).astype(dtype).tobytes()
    return old.size, True


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

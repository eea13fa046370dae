"""One hash over what a replay decided: equal where every bit is equal, whatever time it took."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np

#: Differs from run to run, and decides nothing.
LEFT_OUT = ("latency_s",)


def digest(value: Any) -> str:
    """Return sha256 (hex) over a value made of dataclasses, arrays, mappings and plain values."""
    state = hashlib.sha256()
    _add(state, value)
    return state.hexdigest()


def chained(before: str, after: str) -> str:
    """Return the hash of a sequence of hashes and one more."""
    return hashlib.sha256(f"{before}{after}".encode()).hexdigest()


def _add(state: Any, value: Any) -> None:
    """Feed type and content, so that neighbours cannot be confused."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name not in LEFT_OUT:
                state.update(f"{field.name}:".encode())
                _add(state, getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(array.tobytes())
    elif isinstance(value, Enum):
        _add(state, value.value)
    elif isinstance(value, Mapping):
        state.update(f"map{len(value)}".encode())
        for key in sorted(value):
            _add(state, key)
            _add(state, value[key])
    elif isinstance(value, (tuple, list)):
        state.update(f"list{len(value)}".encode())
        for item in value:
            _add(state, item)
    else:
        state.update(f"{type(value).__name__}:{value!r};".encode())

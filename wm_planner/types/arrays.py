"""Arrays that cannot change after their shape was checked: the door every value passes."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from wm_planner.errors import DataError, ShapeError

Axis = int | str | EllipsisType


def frozen_array(
    name: str,
    value: Any,
    shape: tuple[Axis, ...],
    dtype: DTypeLike = np.float64,
    axes: dict[str, int] | None = None,
) -> np.ndarray:
    """Return a read-only array of the wanted type after checking its shape.

    Args:
        name: how an error names the value, such as "Plan.actions".
        value: anything numpy can turn into an array. Copied unless already unchangeable.
        shape: one entry per axis: a size, the letter of a free axis, or `...` for any number of
            axes (at most once, first or last).
        dtype: element type; conversion must keep the kind (floats never become integers).
        axes: sizes of lettered axes seen so far, filled in here, so that one letter means one
            size throughout a value.
    """
    array = np.asarray(value)
    wanted = np.dtype(dtype)
    if array.dtype != wanted:
        if not np.can_cast(array.dtype, wanted, casting="same_kind"):
            raise ShapeError(f"{name} holds {array.dtype}, expected {wanted}")
        with np.errstate(over="ignore"):  # float16 latents may overflow to inf, judged later
            array = array.astype(wanted)
    _check_shape(name, array.shape, shape, {} if axes is None else axes)
    if _may_change(array):
        array = array.copy()
        array.setflags(write=False)
    return array


def require_finite(name: str, array: np.ndarray) -> None:
    """Raise DataError naming the first element that is NaN or infinite."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise DataError(f"{name} is {array[index]} at index {list(index)}, expected finite numbers")


def _check_shape(
    name: str, got: tuple[int, ...], wanted: tuple[Axis, ...], axes: dict[str, int]
) -> None:
    sizes, checks = got, wanted
    if ... in wanted:
        fixed = len(wanted) - 1
        checks = wanted[1:] if wanted[0] is ... else wanted[:-1]
        sizes = got[len(got) - fixed :] if wanted[0] is ... else got[:fixed]
    text = "(" + ", ".join("..." if axis is ... else str(axis) for axis in wanted) + ")"
    if len(sizes) != len(checks):
        raise ShapeError(f"{name} has shape {got}, expected {text}")
    for size, axis in zip(sizes, checks, strict=True):
        if isinstance(axis, str):
            if axes.setdefault(axis, size) != size:
                raise ShapeError(
                    f"{name} has shape {got}, expected {text} with {axis} = {axes[axis]}"
                )
        elif size != axis:
            raise ShapeError(f"{name} has shape {got}, expected {text}")


def _may_change(array: np.ndarray) -> bool:
    """Whether anyone may still write to the memory behind this array."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return True
        owner = owner.base
    return owner is not None  # memory lent by someone else (bytes, shared memory)

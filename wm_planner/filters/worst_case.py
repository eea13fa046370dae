"""From values at every step to one Verdicts: the worst of each candidate counts."""

from __future__ import annotations

import numpy as np

from wm_planner.types import RejectionReason, Verdicts


def worst_case(
    filter_name: str,
    reason: RejectionReason,
    values: np.ndarray,
    limit: float,
    unit: str,
    names: tuple[str, ...] | np.ndarray,
) -> Verdicts:
    """Sum up what was measured along K candidates.

    Args:
        filter_name: who measured.
        reason: what was measured.
        values: shape (K, H, n), in `unit`, larger is worse. NaN is worst of all.
        limit: largest acceptable value, in `unit`.
        unit: of values and limit.
        names: what each value belongs to, n joints, say, or an array of (K, H, n) texts.
    """
    flat = values.reshape(len(values), -1)
    worst = worst_index(values)
    where = np.broadcast_to(names, values.shape).reshape(flat.shape)
    rows = np.arange(len(values))
    bad: np.ndarray = ~np.less_equal(values, limit).all(axis=2)  # (K, H)
    return Verdicts(
        filter=filter_name,
        reason=reason,
        measured=flat[rows, worst],
        limit=limit,
        unit=unit,
        where=tuple(str(name) for name in where[rows, worst]),
        first_bad_step=np.where(bad.any(axis=1), bad.argmax(axis=1), -1),
    )


def worst_index(values: np.ndarray) -> np.ndarray:
    """Return where along the flattened (H, n) the worst of values (K, H, n) is, shape (K,)."""
    return values.reshape(len(values), -1).argmax(axis=1)  # the first NaN, where there is one

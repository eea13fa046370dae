"""A figure: one number about the models, with what it would be without them beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        family: which file of `wm_planner.open_loop` it comes from, in words.
        name: what was measured, unique within the family.
        unit: such as "dB" or "mm"; "" for a pure number.
        value: of the models.
        better: HIGHER, LOWER, or the number that would be ideal.
        count: how many things (pictures, commands, frames) it is over.
        baselines: the same measured on something that did not need the models, by name.
    """

    family: str
    name: str
    unit: str
    value: float
    better: str | float
    count: int
    baselines: Mapping[str, float] = field(default_factory=dict)


def as_json(figures: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    """Return the figures by family and name; what is not finite becomes None."""
    tree: dict[str, dict[str, Any]] = {}
    for figure in figures:
        entry = {k: v for k, v in asdict(figure).items() if k not in ("family", "name")}
        entry["value"] = _finite(figure.value)
        entry["baselines"] = {name: _finite(value) for name, value in figure.baselines.items()}
        tree.setdefault(figure.family, {})[figure.name] = entry
    return tree


def as_table(figures: Sequence[Figure]) -> str:
    """Return a Markdown table: figure, models, baselines, which way is better, count."""
    lines = ["| | models | baselines | better | over |", "|---|---:|---|---|---:|"]
    family = ""
    for figure in figures:
        if figure.family != family:
            family = figure.family
            lines.append(f"| **{family}** | | | | |")
        unit = f", {figure.unit}" if figure.unit else ""
        others = "; ".join(f"{name} {_short(value)}" for name, value in figure.baselines.items())
        better = figure.better if isinstance(figure.better, str) else f"{figure.better:g}"
        lines.append(
            f"| {figure.name}{unit} | {_short(figure.value)} | {others} | {better} "
            f"| {figure.count} |"
        )
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    """Three or four significant digits, without exponents."""
    if not np.isfinite(value):
        return "-"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

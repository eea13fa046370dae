"""What is left on disk: figures as JSON, one Markdown table, and pictures."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_planner.open_loop.evaluation import OpenLoopResult
from wm_planner.open_loop.figures import as_json, as_table
from wm_planner.open_loop.plots import (
    calibration_plot,
    cross_swap_grid,
    object_errors_plot,
    pictures_by_frame,
    strips_plot,
)
from wm_planner.open_loop.recording_margins import margins_table

DPI = 110


def table(result: OpenLoopResult, question: Mapping[str, Any]) -> str:
    """Return the Markdown that goes into a model card.

    Args:
        result: all figures.
        question: what was measured and on what, by name; one line each.
    """
    return "\n".join(
        [
            *(f"- {name}: {value}" for name, value in question.items()),
            *(f"- note: {note}" for note in result.notes),
            "",
            as_table(result.figures),
            margins_table(result.margins),
        ]
    )


def write_report(folder: Path, result: OpenLoopResult, question: Mapping[str, Any]) -> list[Path]:
    """Write figures.json, figures.md and the pictures; each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "question": dict(question),
        "notes": result.notes,
        "figures": as_json(result.figures),
        "margins": result.margins,
        "curves": _rounded(result.curves),
    }
    files = {
        "figures.json": (json.dumps(contents, indent=2, allow_nan=False) + "\n").encode(),
        "figures.md": table(result, question).encode(),
    }
    pictures = {
        "pictures_by_frame.png": pictures_by_frame(result.curves, result.dt),
        "cross_swap.png": cross_swap_grid(result.swap),
        "calibration.png": calibration_plot(result.calibration),
        "strips.png": strips_plot(result.strips, result.dt),
    }
    if result.object_errors:
        pictures["object_errors.png"] = object_errors_plot(result.object_errors)
    for name, figure in pictures.items():
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
        files[name] = data.getvalue()
    for name, content in files.items():
        partial = folder / f".{name}.partial"
        partial.write_bytes(content)
        os.replace(partial, folder / name)
    return [folder / name for name in files]


def _rounded(curves: Mapping[str, Mapping[str, list[float]]]) -> dict[str, Any]:
    """Curves for JSON: NaN becomes None."""
    return {
        metric: {kind: [None if v != v else round(v, 4) for v in values]
                 for kind, values in kinds.items()}
        for metric, kinds in curves.items()
    }  # fmt: skip

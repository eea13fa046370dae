"""Writes `report.json` and `report.html` of a replay, each whole or not at all."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from PIL import Image

from wm_planner.commands.demo_report import figures as shared
from wm_planner.commands.demo_report.recording import read_reports
from wm_planner.commands.demo_report.rejections import rejections_by_limit
from wm_planner.commands.replay_report import figures
from wm_planner.commands.replay_report.template import TEMPLATE
from wm_planner.datasets.atomic_file import renamed
from wm_planner.replay.job import BAG
from wm_planner.replay.output_bag import REPORT
from wm_planner.types import HANDS

JSON, PAGE = "report.json", "report.html"
WORST = {
    "dream": "the dream least like what came",
    "path": "the path farthest from what was done",
}
JPEG_QUALITY = 88
SHOWN_BAGS = 12  # with plots; all are listed


def write_reports(out: Path, report: dict[str, Any], folders: Sequence[Path]) -> None:
    """Write both.

    Args:
        out: folder.
        report: everything that was found.
        folders: of each bag's replay, in the order of `report["bags"]`.
    """
    with renamed(out / JSON) as partial:
        partial.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    whole = [pair for pair in zip(report["bags"], folders, strict=True) if "error" not in pair[0]]
    comparison = report.get("comparison")
    environment = Environment(autoescape=True)
    environment.filters["in_words"] = shared.in_words
    page = environment.from_string(TEMPLATE).render(
        report=report,
        made_with=_made_with(report),
        overview=[_overview(number, result) for number, (result, _) in enumerate(whole)],
        compared=any(result["recorded"]["compared"] for result, _ in whole),
        paths=_paths(report) if len(whole) > 1 else [],
        sections=[
            _section(number, result, folder)
            for number, (result, folder) in enumerate(whole[:SHOWN_BAGS])
        ],
        failed=_failed(report),
        left_out=max(0, len(whole) - SHOWN_BAGS),
        comparison=comparison,
        flips=_flips(comparison) if comparison else "",
    )
    with renamed(out / PAGE) as partial:
        partial.write_text(page, encoding="utf-8")


def _made_with(report: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    if "against" not in report:
        return [("Planned with", report["made_with"])]
    return [("Now:", report["made_with"]), ("Before:", report["against"]["made_with"])]


def _failed(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Bags that failed, after with which of two configurations they did."""
    before = report.get("against", {}).get("bags", [])
    of_both = [("", one) for one in report["bags"]] + [("before, ", one) for one in before]
    return [(which, result) for which, result in of_both if "error" in result]


def _overview(number: int, result: dict[str, Any]) -> dict[str, Any]:
    """One bag's line at the top of the page."""
    rejections = _rejections(result).most_common(1)
    recorded = result["recorded"]
    told = [values for _, values in figures.path_table(result)[: len(HANDS)]]
    return {
        "name": result["bag"],
        "anchor": _anchor(number) if number < SHOWN_BAGS else None,
        "seconds": result["duration_s"],
        "plans": result["plans"],
        "cycles": result["planning_cycles"],
        "rejected": f"{shared.in_words(rejections[0][0])} {rejections[0][1]}" if rejections else "",
        "dtw": [values[0] for values in told] or [None] * len(HANDS),
        "as_recorded": f"{recorded['identical']} of {recorded['compared']}"
        if recorded["compared"]
        else "",
    }


def _paths(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Margins over bags: to what the hands did, and to what they were told."""
    found = {
        "to what hands did": report["paths"], "to what they were told": report["command_paths"]
    }  # fmt: skip
    return [(what, by_hand) for what, by_hand in found.items() if by_hand and _several(by_hand)]


def _several(by_hand: dict[str, Any]) -> bool:
    return all(found["bags"] > 1 for found in by_hand.values())


def _flips(comparison: dict[str, Any]) -> Markup | str:
    plot = figures.flips(comparison)
    return _wide(plot) if plot else Markup("<p>No candidate changed sides.</p>")


def _rejections(result: dict[str, Any]) -> Counter[str]:
    total: Counter[str] = Counter()
    for cycle in result["cycles"]:
        total.update(cycle["rejections"])
    return total


def _anchor(number: int) -> str:
    return f"bag{number}"


def _section(number: int, result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One bag's part of the page."""
    run = read_reports(folder / BAG, REPORT)
    plots = {
        "timeline": figures.timeline(result),
        "verdicts": shared.verdicts_by_reason(run),
        "candidates": shared.candidates_by_plan(run),
        "paths": figures.paths_over_time(result),
        "dream": figures.dream_over_steps(result),
        "latency": shared.latency_by_stage(run),
    }
    return {
        "anchor": _anchor(number),
        "result": result,
        "plots": {name: _wide(svg) for name, svg in plots.items()},
        "paths": figures.path_table(result),
        "rejections": _rejections(result).most_common(),
        "limits": rejections_by_limit(run),
        "latencies": shared.latency_table(run),
        "moments": [
            {
                **moment,
                "why": " and ".join(WORST[kind] for kind in moment["kinds"]),
                "source": _inline(folder / moment["picture"]),
                "plot": _wide(figures.planned_and_recorded(moment)),
            }
            for moment in result["moments"]
        ],
    }


def _wide(svg: str) -> Markup:
    """A plot that scrolls sideways on a phone, where it could not be read if it fitted."""
    return Markup(f'<div class="wide">{svg}</div>')


def _inline(picture: Path) -> str:
    """A picture inside the page, as JPEG: pages of many bags would be heavy with what is exact."""
    data = io.BytesIO()
    Image.open(picture).save(data, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()

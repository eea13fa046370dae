"""The replay's plots, each as SVG text to put into a page."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from wm_planner.commands.demo_report.figures import (
    ACCEPTED,
    CHOSEN,
    REJECTED,
    STAGE_COLOURS,
    new_figure,
    to_svg,
)
from wm_planner.types import HANDS

Result = dict[str, Any]
PATHS = (
    ("dtw", "o-", "planned"),
    ("dtw_standing", ":", "standing still"),
    ("dtw_copying", "--", "going on as before"),
)


def timeline(result: Result) -> str:
    """Value over time, where plans were made, and where none was found."""
    figure, axes = new_figure("timeline", "s", "value")
    begin = result["begin_ns"]
    seconds = [(stamp - begin) * 1e-9 for stamp, _ in result["looks"]]
    values = [np.nan if value is None else value for _, value in result["looks"]]
    axes.plot(seconds, values, color=CHOSEN, label="value of the frame")
    for made, colour, label in ((True, ACCEPTED, "plan"), (False, REJECTED, "no plan")):
        at = [c["stamp_ns"] for c in result["cycles"] if bool(c["plan_id"]) is made]
        for index, stamp in enumerate(at):
            shown = label if index == 0 else None
            axes.axvline((stamp - begin) * 1e-9, color=colour, zorder=0, label=shown)
    if result["cycles"]:
        axes.legend(loc="upper left", fontsize=8)
    return to_svg(figure)


def planned_and_recorded(moment: dict[str, Any]) -> str:
    """Both hands' planned and recorded paths from above, joined where DTW aligns them."""
    planned, recorded = np.array(moment["planned"]), np.array(moment["recorded"])
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    for hand, axes in enumerate(figure.subplots(1, 2)):
        for i, j in moment["alignment"][hand]:
            pair = np.stack([planned[i, hand], recorded[j, hand]]) * 1e3
            axes.plot(pair[:, 0], pair[:, 1], color="0.8", linewidth=0.8, zorder=1)
        for path, colour, label in (
            (planned, CHOSEN, "planned"),
            (recorded, "#59a14f", "recorded"),
        ):
            mm = path[:, hand] * 1e3
            axes.plot(mm[:, 0], mm[:, 1], "o-", color=colour, markersize=3, label=label, zorder=2)
        dtw, still = moment["dtw"][hand] * 1e3, moment["dtw_standing"][hand] * 1e3
        title = f"{HANDS[hand]}: {dtw:.1f} mm aligned (standing still {still:.1f})"
        axes.set(title=title, xlabel="x, mm", ylabel="y, mm")
        axes.set_aspect("equal", adjustable="datalim")
        axes.legend(fontsize=8)
    return to_svg(figure)


def paths_over_time(result: Result) -> str:
    """How far plans and recorded motion are apart, beside plans that need no model."""
    figure, axes = new_figure("planned against recorded path, DTW", "s", "mm")
    found = [c for c in result["cycles"] if "foresight" in c]
    seconds = [(c["stamp_ns"] - result["begin_ns"]) * 1e-9 for c in found]
    for hand, name in enumerate(HANDS):
        for key, style, what in PATHS:
            values = [c["foresight"][key][hand] * 1e3 for c in found]
            colour, label = STAGE_COLOURS[hand], f"{name}, {what}"
            axes.plot(seconds, values, style, color=colour, markersize=3, label=label)
    if found:
        figure.legend(loc="outside lower center", ncols=len(HANDS), fontsize=8)
    return to_svg(figure)


def path_table(result: Result) -> list[tuple[str, list[float]]]:
    """Mean DTW distances over all plans, mm: rows of `HANDS`, columns of `PATHS`."""
    found = [c["foresight"] for c in result["cycles"] if "foresight" in c]
    if not found:
        return []
    return [
        (name, [1e3 * float(np.mean([one[key][hand] for one in found])) for key, _, _ in PATHS])
        for hand, name in enumerate(HANDS)
    ]


def dream_over_steps(result: Result) -> str:
    """How dreams and what came grow apart with every step, beside a picture that never changes."""
    figure, axes = new_figure("dream against what came", "step", "latent distance")
    found = [c["foresight"] for c in result["cycles"] if "foresight" in c]
    for key, colour, label in (
        ("dream_error", CHOSEN, "dream"),
        ("copy_error", "0.6", "the first frame, unchanged"),
    ):
        rows = [one[key] for one in found if one[key]]
        if not rows:
            continue
        table = np.full((len(rows), max(map(len, rows))), np.nan)
        for row, values in enumerate(rows):
            table[row, : len(values)] = values
        low, middle, high = np.nanpercentile(table, [10, 50, 90], axis=0)
        steps = np.arange(1, table.shape[1] + 1)
        axes.plot(steps, middle, color=colour, label=f"{label}: median, 10 to 90%")
        axes.fill_between(steps, low, high, color=colour, alpha=0.2)
    if found:
        axes.legend(fontsize=8)
    return to_svg(figure)


def flips(comparison: dict[str, Any]) -> str:
    """Candidates that changed sides, by the reason of whoever rejects them."""
    figure, axes = new_figure("candidates that changed sides", "candidates", "")
    gained, lost = comparison["flips"]["accepted"], comparison["flips"]["rejected"]
    names = sorted({*gained, *lost})
    axes.barh(names, [lost.get(n, 0) for n in names], color=REJECTED, label="now rejected")
    axes.barh(names, [-gained.get(n, 0) for n in names], color=CHOSEN, label="now accepted")
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_ylim(-1, max(len(names), 1))  # a single bar is no wall
    axes.legend(fontsize=8)
    return to_svg(figure)

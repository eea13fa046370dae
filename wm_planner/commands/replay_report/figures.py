"""The replay's plots, each as SVG text to put into a page."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wm_planner.commands.demo_report.figures import (
    ACCEPTED,
    CHOSEN,
    REJECTED,
    STAGE_COLOURS,
    in_words,
    legend_below,
    new_figure,
    to_svg,
)
from wm_planner.types import HANDS

Result = dict[str, Any]
BEGUN = "s after the bag begins"
DONE = "#59a14f"  # what was recorded
AXES = "xyz"  # of the rig's base frame
PATHS = (
    ("dtw", "o-", "planned"),
    ("dtw_standing", ":", "standing still"),
    ("dtw_copying", "--", "going on as before"),
)


def timeline(result: Result) -> str:
    """Value over time, where plans were made, and where none was found."""
    figure, axes = new_figure("timeline", BEGUN, "value")
    begin = result["begin_ns"]
    seconds = [(stamp - begin) * 1e-9 for stamp, _ in result["looks"]]
    values = [np.nan if value is None else value for _, value in result["looks"]]
    axes.plot(seconds, values, color=CHOSEN, label="value of the frame")
    for made, colour, label in ((True, ACCEPTED, "plan"), (False, REJECTED, "no plan")):
        at = [c["stamp_ns"] for c in result["cycles"] if bool(c["plan_id"]) is made]
        for index, stamp in enumerate(at):
            shown = label if index == 0 else None
            axes.axvline((stamp - begin) * 1e-9, color=colour, zorder=0, label=shown)
    legend_below(figure)
    return to_svg(figure)


def planned_and_recorded(moment: dict[str, Any]) -> str:
    """Both hands' planned and recorded paths to one scale, joined where DTW aligns them.

    Seen along the axis along which the hands move least.
    """
    planned, recorded = (1e3 * np.array(moment[name]) for name in ("planned", "recorded"))
    both = np.concatenate([planned, recorded])  # (N, 2, 3), mm
    lengths = np.ptp(both, axis=0)  # (2, 3)
    across, up = sorted(np.argsort(lengths.max(axis=0))[1:])
    room = 0.55 * max(20.0, lengths[:, [across, up]].max())
    middle = (both.min(axis=0) + both.max(axis=0)) / 2
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    for hand, axes in enumerate(figure.subplots(1, 2)):
        labelled = hand == 0
        for pair in moment["alignment"][hand]:
            ends = np.stack([planned[pair[0], hand], recorded[pair[1], hand]])
            label = "aligned" if labelled and pair == moment["alignment"][hand][0] else None
            axes.plot(ends[:, across], ends[:, up], color="0.8", lw=0.8, zorder=1, label=label)
        for path, colour, label in ((planned, CHOSEN, "planned"), (recorded, DONE, "recorded")):
            shown, label = path[:, hand], label if labelled else "_"
            axes.plot(
                shown[:, across], shown[:, up], "o-", c=colour, ms=3, zorder=2, label=label
            )  # fmt: skip
        first = recorded[0, hand]
        axes.plot(
            first[across], first[up], "o", ms=9, mfc="none", mec="black", zorder=3,
            label="where the plan begins" if labelled else "_",
        )  # fmt: skip
        dtw, still = moment["dtw"][hand] * 1e3, moment["dtw_standing"][hand] * 1e3
        title = f"{HANDS[hand]}: {dtw:.1f} mm aligned (standing still {still:.1f})"
        axes.set(title=title, xlabel=f"{AXES[across]}, mm", ylabel=f"{AXES[up]}, mm")
        axes.set_xlim(middle[hand, across] - room, middle[hand, across] + room)
        axes.set_ylim(middle[hand, up] - room, middle[hand, up] + room)
        axes.set_aspect("equal")
    legend_below(figure)
    return to_svg(figure)


def paths_over_time(result: Result) -> str:
    """How far plans and recorded motion are apart, beside plans that need no model."""
    figure, axes = new_figure("planned against recorded path, DTW", BEGUN, "mm")
    found = [c for c in result["cycles"] if "foresight" in c]
    seconds = [(c["stamp_ns"] - result["begin_ns"]) * 1e-9 for c in found]
    for hand, name in enumerate(HANDS):
        for key, style, what in PATHS:
            values = [c["foresight"][key][hand] * 1e3 for c in found]
            colour, label = STAGE_COLOURS[hand], f"{name}, {what}"
            axes.plot(seconds, values, style, color=colour, markersize=3, label=label)
    legend_below(figure, len(HANDS))
    return to_svg(figure)


def path_table(result: Result) -> list[tuple[str, list[float]]]:
    """Mean DTW distances over all plans, mm: rows of `HANDS`, columns of `PATHS`.

    To what the hands did, and where the bag says it, to what they were told.
    """
    rows = []
    for prefix, what in (("", "to what it did"), ("command_", "to what it was told")):
        found = [
            c["foresight"]
            for c in result["cycles"]
            if c.get("foresight", {}).get(f"{prefix}dtw") is not None
        ]
        for hand, name in enumerate(HANDS) if found else ():
            means = [np.mean([one[f"{prefix}{key}"][hand] for one in found]) for key, _, _ in PATHS]
            rows.append((f"{name} hand, {what}", [1e3 * float(mean) for mean in means]))
    return rows


def dream_over_steps(result: Result) -> str:
    """How dreams and what came grow apart with every step, beside a picture that never changes."""
    figure, axes = new_figure("dream against what came", "step of the dream", "latent distance")
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
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure)
    return to_svg(figure)


def flips(comparison: dict[str, Any]) -> str:
    """Candidates that changed sides, by the reason of whoever rejects them; "" where none did."""
    gained, lost = comparison["flips"]["accepted"], comparison["flips"]["rejected"]
    names = sorted({*gained, *lost})
    if not names:
        return ""
    figure, axes = new_figure("candidates that changed sides", "candidates", "")
    words = [in_words(name) for name in names]
    for counts, sign, colour, label in (
        (lost, 1, REJECTED, "now rejected"),
        (gained, -1, CHOSEN, "now accepted"),
    ):
        numbers = [counts.get(name, 0) for name in names]
        bars = axes.barh(words, [sign * number for number in numbers], color=colour, label=label)
        axes.bar_label(bars, [str(n) if n else "" for n in numbers], padding=3, fontsize=8)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_ylim(-1, len(names))  # a single bar is no wall
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    legend_below(figure)
    return to_svg(figure)

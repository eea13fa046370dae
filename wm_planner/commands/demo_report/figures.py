"""The demo's plots, each as SVG text to put into a page."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wm_planner.commands.demo_report.recording import Recording

SIZE = (9.0, 3.0)  # inches
PLANS = "0.85"  # lines at the times of plans
CHOSEN, ACCEPTED, REJECTED = "#1f77b4", "#9ecae1", "#d62728"
STAGE_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#9c755f", "#76b7b2")


def value_over_time(run: Recording) -> str:
    """The model's belief that the goal is reached, plans, and what physics says."""
    figure, axes = new_figure("value over time", "s after the recording begins", "value")
    begin = run.start_ns
    times = [(stamp - begin) * 1e-9 for stamp, _ in run.progress]
    axes.plot(times, [m.value for _, m in run.progress], color=CHOSEN, label="value")
    if run.progress:
        limit = run.progress[-1][1].value_limit
        axes.axhline(limit, color="grey", linestyle="--", label="counts as reached")
    for index, plan in enumerate(run.plans):
        label = "plan sent" if index == 0 else None
        axes.axvline((plan.sent_ns - begin) * 1e-9, color=PLANS, zorder=0, label=label)
    done = np.array([value for _, value in run.success], bool)
    if done.any():
        seconds = np.array([(stamp - begin) * 1e-9 for stamp, _ in run.success])
        low, high = axes.get_ylim()
        axes.fill_between(
            seconds, low, high, where=done, color="#59a14f", alpha=0.2, label="done, says physics"
        )
    legend_below(figure)
    return to_svg(figure)


def candidates_by_plan(run: Recording) -> str:
    """The score of every candidate, which was chosen, and how many were rejected."""
    figure, axes = new_figure("candidates by planning cycle", "cycle", "score")
    labels: set[str] = set()

    def dots(x: np.ndarray, y: np.ndarray, colour: str, label: str, marker: str) -> None:
        shown = None if label in labels else label
        labels.add(label)
        axes.scatter(x, y, c=colour, s=16, marker=marker, label=shown, zorder=3)

    rejected = []
    for cycle, (_, report) in enumerate(run.reports):
        total = np.asarray(report.total_score, float)
        rejected.append(int(np.isnan(total).sum()))
        # Side by side: where nothing tells them apart, all have the same score.
        place = cycle + 0.5 * (np.arange(len(total)) / max(len(total) - 1, 1) - 0.5)
        good = np.flatnonzero(np.isfinite(total))
        dots(place[good], total[good], ACCEPTED, "accepted", "o")
        if report.chosen >= 0:
            dots(place[[report.chosen]], total[[report.chosen]], CHOSEN, "chosen", "D")
    counts = axes.twinx()
    counts.bar(range(len(rejected)), rejected, color=REJECTED, alpha=0.25, label="rejected")
    counts.set_ylabel("rejected")
    counts.set_ylim(0, max([*rejected, 1]) * 3)
    for axis in (axes.xaxis, counts.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure)
    return to_svg(figure)


def verdicts_by_reason(run: Recording) -> str:
    """How often each limit rejected a candidate, and how near to it the accepted ones came."""
    figure, (left, right) = new_pair("rejected candidates", "accepted ones: measured / limit")
    rejected: Counter[str] = Counter()
    shares: dict[str, list[float]] = {}
    for verdict in (verdict for _, report in run.reports for verdict in report.verdicts):
        accepted = np.asarray(verdict.accepted, bool)
        rejected[verdict.reason] += int((~accepted).sum())
        measured = np.asarray(verdict.measured, float)[accepted]
        if verdict.limit > 0:
            # Below 0 is well within: how well does not matter.
            share = np.maximum(measured / verdict.limit, 0.0)
            shares.setdefault(verdict.reason, []).extend(share)
    _bars(left, {name: count for name, count in rejected.items() if count})
    positive = [name for name in sorted(rejected) if shares.get(name)]
    if positive:
        right.boxplot(
            [shares[name] for name in positive],
            orientation="horizontal",
            tick_labels=[in_words(name) for name in positive],
            showfliers=False,
        )
    right.axvline(1.0, color=REJECTED, linestyle="--")
    right.set_xlim(left=-0.03)
    return to_svg(figure)


def _bars(axes: Axes, counts: dict[str, int]) -> None:
    """Bars with their numbers, the longest on top; a sentence where there is none."""
    if not counts:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "none was rejected", ha="center", va="center", color="0.4")
        return
    names = sorted(counts, key=lambda name: (counts[name], name))
    bars = axes.barh([in_words(name) for name in names], [counts[n] for n in names], color=REJECTED)
    axes.bar_label(bars, padding=3, fontsize=8)
    axes.set_xlim(0, 1.12 * max(counts.values()))
    axes.set_ylim(-0.8, max(len(names), 3) - 0.2)  # a single bar is no wall
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def latency_by_stage(run: Recording) -> str:
    """How long each stage of each planning cycle took."""
    figure, axes = new_figure("latency by stage", "cycle", "ms")
    stages = _stages(run)
    bottom = np.zeros(len(run.reports))
    for index, stage in enumerate(stages):
        times = np.array([_latency(report, stage) for _, report in run.reports]) * 1e3
        colour = STAGE_COLOURS[index % len(STAGE_COLOURS)]
        axes.bar(range(len(times)), times, bottom=bottom, label=stage, color=colour)
        bottom = bottom + times
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure)
    return to_svg(figure)


def latency_table(run: Recording) -> list[tuple[str, float, float]]:
    """Return median and 95th percentile of each stage and of the whole cycle, ms."""
    rows = []
    for stage in _stages(run):
        times = [_latency(report, stage) for _, report in run.reports]
        rows.append((stage, *_percentiles(times)))
    if run.reports:
        whole = [float(np.sum(report.latency_s)) for _, report in run.reports]
        rows.append(("total", *_percentiles(whole)))
    return rows


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    middle, high = np.percentile(np.array(seconds) * 1e3, [50, 95])
    return float(middle), float(high)


def _stages(run: Recording) -> list[str]:
    return list(dict.fromkeys(stage for _, report in run.reports for stage in report.stage))


def _latency(report: Any, stage: str) -> float:
    times = dict(zip(report.stage, report.latency_s, strict=True))
    return float(times.get(stage, 0.0))


def in_words(reason: str) -> str:
    """Return a reason as people say it."""
    return reason.lower().replace("_", " ")


def new_figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """Return an empty plot with its title and the names of its axes."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def new_pair(left: str, right: str) -> tuple[Figure, tuple[Axes, Axes]]:
    """Return two empty plots side by side with their titles."""
    figure = Figure(figsize=SIZE, layout="constrained")
    first, second = figure.subplots(1, 2)
    first.set_title(left)
    second.set_title(right)
    return figure, (first, second)


def legend_below(figure: Figure, columns: int = 7) -> None:
    """Explain what is drawn below the plot, where it hides nothing."""
    if any(axes.get_legend_handles_labels()[0] for axes in figure.axes):
        figure.legend(loc="outside lower center", ncols=columns, fontsize=8, frameon=False)


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG text."""
    text = io.StringIO()
    # A fixed salt: the same run gives the same page, byte for byte.
    with mpl.rc_context({"svg.hashsalt": "wm_planner"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]

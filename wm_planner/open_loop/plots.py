"""The figures as pictures, each a matplotlib figure to be saved."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wm_planner.open_loop.calibration import LEVELS
from wm_planner.open_loop.picture_figures import Curves
from wm_planner.open_loop.steering import CrossSwap

COLOURS = {
    "reconstruction": "#59a14f",
    "actions given": "#1f77b4",
    "free dream": "#f28e2b",
    "last frame copied": "0.45",
    "no action, no task": "#b07aa1",
    "other actions": "#d62728",
}
CASES = ("real", "dreamed", "near miss, real", "near miss, dreamed")


def pictures_by_frame(curves: Curves, dt: float) -> Figure:
    """Each metric over the frames of a dream, whole pictures above, moving pixels below.

    Args:
        curves: by metric and kind of picture.
        dt: spacing of frames, s.
    """
    columns = (len(curves) + 1) // 2
    figure = Figure(figsize=(3.8 * columns + 1.6, 5.6), layout="constrained")
    grid = figure.subplots(2, columns, squeeze=False)
    handles: dict[str, Artist] = {}
    for number, (metric, by_kind) in enumerate(curves.items()):
        axes: Axes = grid[number % 2, number // 2]
        axes.set_title(metric + (", dB" if metric.startswith("PSNR") else ""), fontsize=10)
        for kind, values in by_kind.items():
            at = np.flatnonzero(np.isfinite(values))
            handles[kind], = axes.plot(
                (at + 1) * dt, np.asarray(values)[at], marker=".", color=COLOURS.get(kind)
            )  # fmt: skip
        axes.set_xlabel("s after the last frame seen")
        axes.grid(alpha=0.3)
    figure.legend(list(handles.values()), list(handles), loc="outside right upper", fontsize=9)
    return figure


def calibration_plot(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Coverage of nominal intervals, one panel for each thing that commands were read off."""
    figure = Figure(figsize=(4.4 * len(curves), 4.4), layout="constrained")
    for axes, (source, parts) in zip(
        figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True
    ):
        axes.plot([0, 100], [0, 100], color="0.6", linestyle="--", label="ideal")
        for part, covered in parts.items():
            axes.plot(100 * LEVELS, 100 * covered, marker=".", label=part)
        axes.set(title=source, xlabel="stated interval, %", ylabel="commands within it, %")
        axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        axes.legend(loc="upper left", fontsize=8)
    return figure


def object_errors_plot(errors: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Errors of each object's position as boxes from quarter to quarter, whiskers to 5 and 95 %."""
    cases = [case for case in CASES if any(case in found for found in errors.values())]
    figure = Figure(figsize=(max(5.0, 1.6 * len(errors) + 2), 4.0), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / max(len(cases), 1)
    for number, case in enumerate(cases):
        colour = f"C{number}"
        there = [(x, found[case]) for x, found in enumerate(errors.values()) if case in found]
        axes.boxplot(
            [values for _, values in there],
            positions=[x + (number - (len(cases) - 1) / 2) * width for x, _ in there],
            widths=0.85 * width, whis=(5, 95), showfliers=False, patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.6}, medianprops={"color": "black"},
        )  # fmt: skip
        axes.plot([], [], color=colour, linewidth=6, alpha=0.6, label=case)
    axes.set_xticks(range(len(errors)), [name.replace("_", " ") for name in errors], rotation=20)
    axes.set_ylabel("error of the position, mm")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def cross_swap_grid(swap: CrossSwap) -> Figure:
    """The last frames of dreams: rows give the first frame, columns the actions."""
    count = len(swap.first)
    height, width = swap.first.shape[1:3]
    figure = Figure(
        figsize=(1.5 * (count + 1) + 0.5, 1.5 * (count + 1) * height / width + 0.6),
        layout="constrained",
    )
    grid = figure.subplots(count + 1, count + 1)
    for row in range(count + 1):
        for column in range(count + 1):
            axes = grid[row, column]
            axes.set(xticks=[], yticks=[])
            if row == 0 and column == 0:
                axes.set_axis_off()
                axes.text(
                    0.5, 0.5, "rows: start\ncolumns: actions", ha="center", va="center", fontsize=9
                )
            elif row == 0:
                axes.imshow(swap.last[column - 1])
                axes.set_title(f"end of {column}", fontsize=8)
            elif column == 0:
                axes.imshow(swap.first[row - 1])
                axes.set_ylabel(f"start of {row}", fontsize=8)
            else:
                axes.imshow(swap.dreamed[row - 1, column - 1])
                if row == column:  # its own actions
                    for edge in axes.spines.values():
                        edge.set(color="#f28e2b", linewidth=2.5)
    return figure


def strips_plot(strips: Mapping[str, np.ndarray], dt: float) -> Figure:
    """One window's frames, real above and dreamed below.

    Args:
        strips: pictures (H, h, w, 3) by kind.
        dt: spacing of frames, s.
    """
    horizon = len(next(iter(strips.values())))
    at = np.unique(np.round(np.linspace(0, horizon - 1, min(horizon, 6))).astype(int))
    height, width = next(iter(strips.values())).shape[1:3]
    size = (1.7 * len(at) + 0.4, 1.7 * len(strips) * height / width + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(strips), len(at), squeeze=False)
    for row, (kind, images) in enumerate(strips.items()):
        for column, frame in enumerate(at):
            axes = grid[row, column]
            axes.imshow(images[frame])
            axes.set(xticks=[], yticks=[])
            if row == 0:
                axes.set_title(f"{(frame + 1) * dt:.1f} s", fontsize=8)
        grid[row, 0].set_ylabel(kind, fontsize=8)
    return figure

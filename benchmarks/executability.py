"""Which dreams can be carried out, what would have told, and how much there is to choose from.

    python benchmarks/executability.py --out runs/executability --episodes 20 --seed 900000

In closed loop, all candidates of every --every-th plan are tried in the simulator, accepted or
not. Executable is what keeps both hands within --position and --rotation of where the dream shows
them for --steps steps, as inverse dynamics reads both off dream and camera. Then: how often that
is; how well each thing that the planner knew tells it (AUROC); how well it ranks candidates of one
plan by how much nearer to success they come (rank correlation); and how far the best of them is
from the mean one. Intervals are bootstraps over episodes. Last, for everything that a filter
measures: the limit that rejects --false-rejections of what is executable, calibrated on every
second episode, and what it rejects in the others.

Every episode is a file in --out: an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wm_planner.assembly import assemble
from wm_planner.closed_loop.calibrated_limits import calibrate, measured_by_filters
from wm_planner.closed_loop.choosing import Estimate
from wm_planner.closed_loop.episode import run_episode
from wm_planner.closed_loop.evaluation import goals_for, open_simulated_rig
from wm_planner.closed_loop.executability import CandidateTester, TriedCandidate
from wm_planner.closed_loop.executability_figures import Episode, Figures
from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.rigs.disturbance import Disturbance

TASKS = ("reach", "pick_lift", "tray_lift", "handover", "towel_fold")


def collect(args: argparse.Namespace) -> dict[str, list[Episode]]:
    """Run what is missing, and return the candidates of all episodes by task."""
    config = read_stack_config(args)
    config = dataclasses.replace(
        config,
        onnx=dataclasses.replace(config.onnx, threads=1),
        planner=dataclasses.replace(config.planner, candidates=args.candidates),
    )
    stack = assemble(config)
    rig = open_simulated_rig("mujoco", stack.rig_description)
    disturbance = Disturbance.parse(args.disturb) if args.disturb else None
    question = {
        "candidates": args.candidates, "every": args.every, "steps": args.steps,
        "disturb": args.disturb, "execute_steps": config.planner.execute_steps,
        "judged_by": "camera", "model_settings": config.model_settings,
        "bundles": [stack.world_model.spec.bundle_hash, stack.inverse_dynamics.spec.bundle_hash],
    }  # fmt: skip
    found: dict[str, list[Episode]] = {task: [] for task in args.tasks}
    # Tasks in turns, so that an interrupted run has of all.
    for seed in range(args.seed, args.seed + args.episodes):
        for task in args.tasks:
            path = args.out / f"{task}-{seed}.json"
            if not path.exists():
                tester = CandidateTester(
                    stack, args.every, args.steps, config.planner.execute_steps
                )
                goals = goals_for(rig, task, "task", seed)
                result = run_episode(
                    *(stack, rig, goals, task, seed), disturbance=disturbance, chooser=tester
                )
                tried = [dataclasses.asdict(one) for one in tester.tried]
                outcome = {"success": result.success, "no_plans": result.no_plans}
                write(path, {"question": question, **outcome, "tried": tried})
            data = json.loads(path.read_text())
            if data["question"] != question:
                raise SystemExit(f"{path} answers another question: choose another --out")
            found[task].append([TriedCandidate(**one) for one in data["tried"]])
    return found


def write(path: Path, data: dict) -> None:
    """Write under another name, then rename."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(data))
    os.replace(partial, path)


def table(by_task: dict[str, Figures], false_rejections: float) -> str:
    """Return everything as markdown, one column a task."""
    head = ["| | " + " | ".join(by_task) + " |", "|---|" + "---|" * len(by_task)]
    rows: list[str] = []

    def row(name: str, tell: Callable[[Figures], str]) -> None:
        rows.append(f"| {name} | " + " | ".join(tell(found) for found in by_task.values()) + " |")

    def told(estimate: Estimate | None) -> str:
        return "the same of all" if estimate is None else estimate.text()

    # Of one task, all candidates may have the same of something; of all of them, never fewer do.
    *_, last = by_task.values()
    for count in last.counts:
        row(count, lambda f, c=count: str(f.counts[c]))
    for group in last.executable:
        row(f"executable, {group}, %", lambda f, g=group: f.executable[g].text(0, 100))
    for name in last.deviations:
        row(f"{name}, median of the accepted", lambda f, n=name: f.deviations[n].text(1))
    for gain in last.gains:
        row(f"nearer to success, {gain}, mm", lambda f, g=gain: f.gains[g].text(1, 1000))
    for group, label in (("all", "AUROC"), ("accepted", "AUROC among the accepted")):
        for name in last.names:
            row(f"{label}, {name}", lambda f, key=(group, name): told(f.auroc.get(key)))
    for name in last.correlation:
        row(f"rank correlation, {name}", lambda f, n=name: told(f.correlation.get(n)))
    for name in measured_by_filters(last.names):
        row(
            f"limit for {100 * false_rejections:g} % false rejections, {name}",
            lambda f, n=name: calibrate(f.episodes, f.good, n, false_rejections).text(),
        )
    return "\n".join(head + rows)


def picture(found: Figures, position_m: float) -> Figure:
    """Deviations, what tells them, what ranks candidates, and what there is to gain."""
    figure = Figure(figsize=(13.5, 4.6), layout="constrained")
    left, auroc, rank, gains = figure.subplots(1, 4, width_ratios=(1, 1, 1, 0.7))
    everyone = [c for e in found.episodes for c in e if c.position_m is not None]
    bins = np.linspace(0, 4 * position_m * 1000, 41)
    for label, kept, colour in (("accepted", False, "#1f77b4"), ("rejected", True, "#d62728")):
        values = [1000 * c.position_m for c in everyone if bool(c.rejected) == kept]
        left.hist(np.clip(values, 0, bins[-1]), bins, alpha=0.6, label=label, color=colour)
    left.axvline(1000 * position_m, color="0.3", ls="--", lw=1)
    left.set_xlabel("furthest hand from the dream, mm")
    left.set_ylabel("dreams")
    left.legend(fontsize=8)
    _bars(auroc, {n: found.auroc["all", n] for n in found.names}, 0.5, "AUROC, executable")
    _bars(rank, found.correlation, 0.0, "rank correlation with progress")
    _bars(gains, {n: e for n, e in found.gains.items() if n != "mean of the accepted"}, 0.0,
          "nearer to success, mm", 1000)  # fmt: skip
    return figure


def _bars(axes, rows: dict[str, Estimate], zero: float, label: str, scale: float = 1.0) -> None:
    known = {name: row for name, row in rows.items() if math.isfinite(row.value)}
    for place, row in enumerate(known.values()):
        axes.plot([scale * row.low, scale * row.high], [place, place], color="0.4", lw=1.5)
        axes.plot([scale * row.value], [place], "o", color="#1f77b4", ms=5)
    axes.axvline(zero, color="0.3", ls="--", lw=1)
    axes.set_yticks(range(len(known)), list(known), fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel(label)


def main() -> None:
    """Collect, and write table and picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK",
                        help=f"some of: {', '.join(TASKS)}")  # fmt: skip
    parser.add_argument("--episodes", type=int, default=20, help="per task (20)")
    parser.add_argument("--seed", type=int, default=900_000, help="first (900000)")
    parser.add_argument("--candidates", type=int, default=8, help="dreams per plan (8)")
    parser.add_argument("--every", type=int, default=2, help="plans: every n-th is tried (2)")
    parser.add_argument("--steps", type=int, default=8, help="how far (8)")
    parser.add_argument("--position", type=float, default=0.015, help="tolerance, m (0.015)")
    parser.add_argument("--rotation", type=float, default=10.0, help="tolerance, degrees (10)")
    parser.add_argument("--false-rejections", type=float, default=0.02, metavar="SHARE",
                        help="that limits are calibrated for (0.02)")  # fmt: skip
    parser.add_argument("--disturb", default="", metavar="KIND[=AMOUNT]", help="(nothing)")
    add_stack_arguments(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found = collect(args)

    def good(candidate: TriedCandidate) -> bool:
        return candidate.executable(args.position, math.radians(args.rotation))

    by_task = {task: Figures(episodes, good) for task, episodes in found.items()}
    if len(by_task) > 1:
        by_task["all"] = Figures([e for episodes in found.values() for e in episodes], good)
    text = table(by_task, args.false_rejections)
    (args.out / "table.md").write_text(text + "\n")
    picture(list(by_task.values())[-1], args.position).savefig(
        args.out / "executability.png", dpi=130
    )
    print(text)


if __name__ == "__main__":
    main()

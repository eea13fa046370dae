"""What choosing among dreams is worth: success of the planner's choice, of chance and of an oracle.

    python benchmarks/choosing_table.py --out runs/choosing --tasks pick_lift reach handover
        --candidates 1 8 --disturb none object_moved --episodes 100 --seed 900000

The oracle tries every accepted candidate in the simulator and takes the one that comes nearest to
success (docs/evaluate.md). Differences in s are of the episodes' lengths, in simulated time; one
that fails counts with the time limit, or until its planner gave up. All choices see the same
scenes and disturbances. Episodes are kept in --out, one file a cell, so that an interrupted table
continues where it stopped; cells grow together, --block episodes at a time. Seeds below 1000000 are
for choosing settings, higher ones for final figures. Parts of one table may be made by several
processes at once, as long as they do not share a cell.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wm_planner.assembly import Stack, assemble
from wm_planner.closed_loop.choosers import CHOICES
from wm_planner.closed_loop.choosing import captured_share, paired_difference
from wm_planner.closed_loop.episode import run_episode
from wm_planner.closed_loop.episode_result import EpisodeResult
from wm_planner.closed_loop.evaluation import (
    FIRST_TEST_SEED,
    Evaluation,
    goals_for,
    open_simulated_rig,
)
from wm_planner.closed_loop.results_file import ResultsFile
from wm_planner.closed_loop.summary import wilson_interval
from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.errors import WmPlannerError
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.rigs.rig import SimulatedRig

TASKS = ("reach", "pick_lift", "tray_lift", "handover", "towel_fold")
COLOURS = {"best": "#1f77b4", "random": "0.45", "oracle": "#59a14f"}
Cell = tuple[str, str, int, str]  # task, disturbance or "none", candidates, choice
Results = dict[Cell, list[EpisodeResult]]  # of the same seeds, in order


def cells(args: argparse.Namespace) -> list[Cell]:
    """Return all cells; of one candidate all choose the same."""
    return [
        (task, kind, count, choice)
        for kind, task, count in itertools.product(args.disturb, args.tasks, args.candidates)
        for choice in args.choices
        if count > 1 or choice == "best"
    ]


class Runner:
    """Runs episodes of cells in this process, on one stack and one rig."""

    def __init__(self, args: argparse.Namespace) -> None:
        config = read_stack_config(args)
        one_thread = dataclasses.replace(config.onnx, threads=1)
        self._config = dataclasses.replace(config, onnx=one_thread)
        self._args, self._seed = args, args.seed
        self._stack: Stack = assemble(self._config)
        self._rig: SimulatedRig = open_simulated_rig("mujoco", self._stack.rig_description)
        self._files: dict[Cell, ResultsFile] = {}

    def run(self, cell: Cell, episodes: int) -> list[EpisodeResult]:
        """Run what is missing of a cell's first episodes, and return them all."""
        task, kind, count, choice = cell
        planner = dataclasses.replace(self._config.planner, candidates=count)
        evaluation = Evaluation(
            dataclasses.replace(self._config, planner=planner),
            functools.partial(open_simulated_rig, "mujoco"), task, episodes, self._seed,
            disturbance=None if kind == "none" else Disturbance.parse(kind), choice=choice,
            oracle_steps=self._args.oracle_steps, validation=self._seed < FIRST_TEST_SEED,
        )  # fmt: skip
        file = self._files.setdefault(cell, self._open(cell, evaluation))
        file.requested = max(episodes, len(file.results))
        self._stack.planner.settings = planner
        for seed in evaluation.seeds:
            if seed not in file.results:
                goals = goals_for(self._rig, task, "task", seed)
                result = run_episode(
                    *(self._stack, self._rig, goals, task, seed),
                    disturbance=evaluation.disturbance,
                    chooser=evaluation.chooser(),
                )
                file.add(result)
        return [file.results[seed] for seed in evaluation.seeds]

    def _open(self, cell: Cell, evaluation: Evaluation) -> ResultsFile:
        task, kind, count, choice = cell
        name = "-".join((task, kind.replace("=", "_"), str(count), choice))
        disturbance = evaluation.disturbance
        question = {
            "task": task, "seed": self._seed, "candidates": count, "choice": choice,
            "execute_steps": evaluation.config.planner.execute_steps,
            "oracle_steps": self._args.oracle_steps if choice == "oracle" else None,
            "disturbance": dataclasses.asdict(disturbance) if disturbance else None,
            "model_settings": evaluation.config.model_settings,
            **evaluation.config.judging_settings,
            "bundles": {
                "world_model": self._stack.world_model.spec.bundle_hash,
                "inverse_dynamics": self._stack.inverse_dynamics.spec.bundle_hash,
            },
        }  # fmt: skip
        file = ResultsFile(self._args.out / f"{name}.json", question, evaluation.episodes)
        file.resume()
        return file


def table(done: Results, tasks: list[str]) -> str:
    """Return the table as markdown; the rows of all tasks pool their episodes."""
    lines = [
        "| task | disturbance | dreams | episodes | best | random | oracle | best - random, points "
        "| oracle - random, points | share of the oracle's gain | best - random, s "
        "| oracle - random, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows = dict.fromkeys((kind, count) for _, kind, count, _ in done)
    for (kind, count), task in itertools.product(rows, [*tasks, "all"]):
        wanted = [task] if task != "all" else tasks
        columns = {
            choice: [result for one in wanted for result in done[one, kind, count, choice]]
            for choice in CHOICES
            if all((one, kind, count, choice) in done for one in wanted)
        }
        if not columns or (task == "all" and len(tasks) == 1):
            continue
        success = {c: np.array([r.success for r in found]) for c, found in columns.items()}
        time = {c: np.array([r.duration_s for r in found]) for c, found in columns.items()}
        rates = [_rate(success[choice]) if choice in columns else "" for choice in CHOICES]
        compared = [""] * 5
        if len(columns) == len(CHOICES):
            best, chance, oracle = (success[choice] for choice in CHOICES)
            compared = [
                paired_difference(best, chance).text(0, 100),
                paired_difference(oracle, chance).text(0, 100),
                captured_share(best, chance, oracle).text(2),
                paired_difference(time["best"], time["random"]).text(1),
                paired_difference(time["oracle"], time["random"]).text(1),
            ]
        episodes = len(next(iter(columns.values())))
        facts = [task, kind, str(count), str(episodes), *rates, *compared]
        lines.append(f"| {' | '.join(facts)} |")
    return "\n".join(lines)


def _rate(successes: np.ndarray) -> str:
    low, high = wilson_interval(int(successes.sum()), len(successes))
    return f"{100 * successes.mean():.0f}% ({100 * low:.0f} to {100 * high:.0f})"


def plot(done: Results, tasks: list[str]) -> Figure:
    """Success over the number of dreams; one column a task, one row a disturbance."""
    kinds = list(dict.fromkeys(kind for _, kind, _, _ in done))
    figure = Figure(figsize=(2.6 * len(tasks) + 1.2, 2.4 * len(kinds) + 0.8), layout="constrained")
    grid = figure.subplots(len(kinds), len(tasks), squeeze=False, sharey=True)
    curves: dict[tuple[str, str, str], list[tuple[int, np.ndarray]]] = defaultdict(list)
    # One dream leaves no choice: it begins every curve.
    measured = [name for name in CHOICES if any(choice == name for *_, choice in done)]
    for (task, kind, count, choice), results in done.items():
        found = (count, np.array([result.success for result in results]))
        for name in measured if count == 1 else (choice,):
            curves[task, kind, name].append(found)
    for (row, kind), (column, task) in itertools.product(enumerate(kinds), enumerate(tasks)):
        axes = grid[row, column]
        for shift, choice in zip((-1, 0, 1), CHOICES, strict=True):
            points = sorted(curves[task, kind, choice], key=lambda point: point[0])
            if not points:
                continue
            x = np.array([count for count, _ in points]) * 1.04**shift
            rate = np.array([100 * won.mean() for _, won in points])
            ends = 100 * np.array([wilson_interval(int(w.sum()), len(w)) for _, w in points]).T
            bars = np.abs(ends - rate)
            axes.errorbar(x, rate, bars, marker="o", ms=4, lw=1.4, color=COLOURS[choice],
                          label=choice, capsize=2)  # fmt: skip
        axes.set_xscale("log", base=2)
        counts = sorted({count for _, _, count, _ in done})
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set_ylim(-3, 103)
        axes.grid(alpha=0.25)
        if row == 0:
            axes.set_title(task, fontsize=10)
        if column == 0:
            axes.set_ylabel(f"success, %\ndisturbed: {kind}", fontsize=9)
    figure.supxlabel("dreams a plan", fontsize=9)
    grid[0, -1].legend(fontsize=8)
    return figure


def main() -> None:
    """Run all cells, and write table and picture after every block."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK",
                        help=f"some of: {', '.join(TASKS)}")  # fmt: skip
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 2, 4, 8, 16], metavar="K",
                        help="dreams per plan (1 2 4 8 16)")  # fmt: skip
    parser.add_argument("--choices", nargs="+", choices=CHOICES, default=list(CHOICES),
                        metavar="CHOICE", help=f"({' '.join(CHOICES)})")  # fmt: skip
    parser.add_argument("--disturb", nargs="+", default=["none"], metavar="KIND[=AMOUNT]",
                        help="as of wm-planner evaluate --disturb, and none (none)")  # fmt: skip
    parser.add_argument("--oracle-steps", type=int, default=0, metavar="N",
                        help="how far an oracle tries (as far as plans are executed)")  # fmt: skip
    parser.add_argument("--episodes", type=int, default=100, help="per cell (100)")
    parser.add_argument("--block", type=int, default=10, help="episodes a turn (10)")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="first (1000000)")
    add_stack_arguments(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        _fill(args)
    except WmPlannerError as error:  # results of another question, most often
        raise SystemExit(f"choosing_table.py: {error}") from error


def _fill(args: argparse.Namespace) -> None:
    runner = Runner(args)
    for episodes in [*range(args.block, args.episodes, args.block), args.episodes]:
        done = {cell: runner.run(cell, episodes) for cell in cells(args)}
        (args.out / "table.md").write_text(table(done, args.tasks) + "\n")
        plot(done, args.tasks).savefig(args.out / "choosing.png", dpi=130)
    print(table(done, args.tasks))


if __name__ == "__main__":
    main()

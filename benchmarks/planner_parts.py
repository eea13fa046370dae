"""What each part of the planner is worth in closed loop: one is taken away, or added, at a time.

    python benchmarks/planner_parts.py --out runs/parts --tasks pick_lift handover
        --disturb none object_moved --episodes 100 --seed 900000

All variants see the same scenes and disturbances, so differences to the shipped planner are paired
by seed. With --library FILE (of `wm-planner library`) there is one more, which compares with the
demonstrations of the task. Episodes are kept in --out, one file a cell: an interrupted table
continues where it stopped, and more --episodes extend it; other models or settings need another
--out. Seeds below 1000000 are for choosing settings.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from wm_planner.assembly import StackConfig, load_bundles
from wm_planner.closed_loop.choosing import paired_difference
from wm_planner.closed_loop.episode_result import EpisodeResult
from wm_planner.closed_loop.evaluation import (
    FIRST_TEST_SEED,
    Evaluation,
    open_simulated_rig,
    run_evaluation,
)
from wm_planner.closed_loop.results_file import ResultsFile
from wm_planner.closed_loop.summary import wilson_interval
from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.filters.cycle_filter import CycleFilterSettings
from wm_planner.filters.dtw_filter import DtwFilterSettings
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.robot.rig_description import find_rig
from wm_planner.scorers.cycle_scorer import CycleScorerSettings
from wm_planner.scorers.value_scorer import RESIMULATION, ValueScorerSettings

TASKS = ("reach", "pick_lift", "tray_lift", "handover", "towel_fold")


def _planner(config: StackConfig, **changes: object) -> StackConfig:
    return dataclasses.replace(config, planner=dataclasses.replace(config.planner, **changes))


def _replanning(config: StackConfig, **changes: object) -> StackConfig:
    replanning = dataclasses.replace(config.replanning, **changes)
    return dataclasses.replace(config, replanning=replanning)


def _with(config: StackConfig, part: str, name: str, settings: object) -> StackConfig:
    return dataclasses.replace(config, **{part: {**getattr(config, part), name: settings}})


def _without(config: StackConfig, part: str, name: str) -> StackConfig:
    kept = {key: value for key, value in getattr(config, part).items() if key != name}
    return dataclasses.replace(config, **{part: kept})


def _valued(config: StackConfig, **settings: object) -> StackConfig:
    return _with(config, "scorers", "value", ValueScorerSettings(**settings))


VARIANTS: dict[str, Callable[[StackConfig], StackConfig]] = {
    "as shipped": lambda config: config,
    "without kinematic rejection": lambda c: _without(c, "filters", "kinematic"),
    "without regeneration": lambda c: _planner(c, regeneration_rounds=0),
    "with value": _valued,
    "with value of the re-simulation": lambda c: _valued(c, frames=0, of=RESIMULATION),
    "with consensus by DTW": lambda c: _with(c, "filters", "dtw", DtwFilterSettings(
        consensus=True)),
    "with cycle rejection": lambda c: _with(c, "filters", "cycle", CycleFilterSettings()),
    "with cycle cost": lambda c: _with(c, "scorers", "cycle", CycleScorerSettings()),
    "with replanning on drift": lambda c: _replanning(c, on_drift="replan"),
    "without the known view": lambda c: dataclasses.replace(
        c, view=dataclasses.replace(c.view, correct=False)),
    "whole dreams without looking": lambda c: _planner(c, execute_steps=256),
    "with re-simulation by DTW": lambda c: _with(c, "filters", "dtw", DtwFilterSettings(
        resimulation=True)),
    "with value and search by CEM": lambda c: _planner(_valued(c), search="cem"),
    "with value and search by MPPI": lambda c: _planner(_valued(c), search="mppi"),
}  # fmt: skip
WITH_LIBRARY = "with demonstrations by DTW"


def variants(library: Path | None) -> dict[str, Callable[[StackConfig], StackConfig]]:
    """Return all variants by name; one of them needs a library."""
    if library is None:
        return VARIANTS
    settings = DtwFilterSettings(demonstrations=str(library.resolve()))
    return {**VARIANTS, WITH_LIBRARY: lambda c: _with(c, "filters", "dtw", settings)}


def run_cell(args: argparse.Namespace, name: str, task: str, kind: str) -> list[EpisodeResult]:
    """Run what is missing of one cell, and return its episodes by seed."""
    evaluation = Evaluation(
        variants(args.library)[name](read_stack_config(args)),
        functools.partial(open_simulated_rig, "mujoco"), task, args.episodes, args.seed,
        disturbance=None if kind == "none" else Disturbance.parse(kind),
        validation=args.seed < FIRST_TEST_SEED,
    )  # fmt: skip
    question = {"variant": name, "task": task, "disturbance": kind, "seed": args.seed,
                **_asked(evaluation.config)}  # fmt: skip
    path = args.out / f"{name}-{task}-{kind}.json".replace(" ", "_").replace("=", "_")
    file = ResultsFile(path, question, args.episodes)
    file.resume()
    file.requested = max(args.episodes, len(file.results))
    missing = [seed for seed in evaluation.seeds if seed not in file.results]
    done = run_evaluation(evaluation, missing, args.workers)
    for result in tqdm(done, total=len(missing), unit="episode", desc=path.stem, leave=False):
        file.add(result)
    return [file.results[seed] for seed in evaluation.seeds]


def _asked(config: StackConfig) -> dict[str, object]:
    """Return what else decides the answers, as JSON holds it: settings, and models by hash."""
    parts = {
        **config.judging_settings,
        **{
            name: dataclasses.asdict(getattr(config, name))
            for name in ("planner", "replanning", "view")
        },
        **config.model_settings,
        "bundles": {
            kind: bundle.bundle_hash
            for kind, bundle in load_bundles(config, find_rig(config.rig)).items()
        },
    }
    return json.loads(json.dumps(parts))


def row(name: str, results: list[EpisodeResult], shipped: list[EpisodeResult]) -> str:
    """Return one line: successes, the paired difference in points, time and rejections."""
    success, before = (np.array([r.success for r in found], float) for found in (results, shipped))
    low, high = wilson_interval(int(success.sum()), len(success))
    rate = f"{100 * success.mean():.0f} ({100 * low:.0f} to {100 * high:.0f})"
    difference = "" if results is shipped else paired_difference(success, before).text(0, 100)
    seconds = np.mean([result.duration_s for result in results])
    latency = np.median([t for result in results for t in result.latency_s["total"]])
    cells = [name, f"{int(success.sum())}/{len(success)}", rate, difference,
             f"{seconds:.1f}", f"{1000 * latency:.0f}"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run all cells, and write the table after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK",
                        help=f"some of: {', '.join(TASKS)}")  # fmt: skip
    parser.add_argument("--disturb", nargs="+", default=["none"], metavar="KIND[=AMOUNT]",
                        help="as of wm-planner evaluate --disturb, and none (none)")  # fmt: skip
    parser.add_argument("--only", nargs="+", metavar="VARIANT",
                        help=f"some of: {', '.join([*VARIANTS, WITH_LIBRARY])}")  # fmt: skip
    parser.add_argument("--library", type=Path, metavar="FILE",
                        help=f'of wm-planner library, for "{WITH_LIBRARY}"')  # fmt: skip
    parser.add_argument("--episodes", type=int, default=100, help="per cell (100)")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="first (1000000)")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    add_stack_arguments(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    known = list(variants(args.library))
    unknown = [name for name in args.only or () if name not in known]
    if unknown:
        parser.error(f"--only {unknown[0]!r}: expected some of {', '.join(known)}")
    names = ["as shipped", *(name for name in args.only or known if name != "as shipped")]
    results: dict[str, list[EpisodeResult]] = {}
    table = ["| | successes | rate and 95% interval, % | difference, points | episode, s "
             "| plan, median ms |", "|---|---|---|---|---|---|"]  # fmt: skip
    for name in names:
        results[name] = [
            result for kind in args.disturb for task in args.tasks
            for result in run_cell(args, name, task, kind)
        ]  # fmt: skip
        table.append(row(name, results[name], results["as shipped"]))
        (args.out / "table.md").write_text("\n".join(table) + "\n")
    print("\n".join(table))


if __name__ == "__main__":
    main()

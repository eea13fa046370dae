"""Measure how often a task succeeds in the simulated rig, without ROS.

The planner sees images, joints and the goal, never the simulator's state; success is judged by
physics. Seeds start at 1000000: lower ones are for training and validation. Ctrl-C keeps what was
done so far in the JSON file; --resume goes on from there. The controls are --untrained, which
replaces a model's weights by fresh random ones, and --instruction, which drops the task or swaps
it for another one. With --disturb something goes wrong once in the course of every episode.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.drift.drift_settings import ON_DRIFT
from wm_planner.errors import ConfigurationError
from wm_planner.rigs.disturbance import KINDS, Disturbance
from wm_planner.settings import validate

if TYPE_CHECKING:
    from wm_planner.closed_loop.evaluation import Evaluation

NAME = "evaluate"
HELP = "measure success on the simulated rig"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--task", required=True, help="reach, pick_lift, tray_lift, ...")
    parser.add_argument("--episodes", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--candidates", type=int, metavar="K", help="dreams per plan")
    parser.add_argument("--execute-steps", type=int, metavar="N", help="steps before replanning")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="S", help="simulated time a plan takes, s"
    )
    parser.add_argument(
        "--on-drift", choices=ON_DRIFT, help="what to do when frames leave the dream"
    )
    parser.add_argument("--seed", type=int, default=1_000_000, metavar="S", help="first seed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results")
    parser.add_argument("--resume", action="store_true", help="keep the episodes in --json FILE")
    parser.add_argument("--workers", type=int, default=1, metavar="W", help="processes")
    parser.add_argument("--rig", default="mujoco", help="simulated rig (default: mujoco)")
    parser.add_argument(
        "--untrained",
        action="append",
        default=[],
        choices=("world_model", "inverse_dynamics"),
        help="give this model fresh random weights; may be repeated",
    )
    parser.add_argument(
        "--instruction",
        default="task",
        choices=("task", "last", "together", "picture", "none", "wrong"),
        help="ask for the task, goal after goal where it has several; for the last of these only; "
        "for all in one sentence; by a picture of each goal done in the same scene instead of "
        "words; for nothing; for other tasks in turn (default: task)",
    )
    parser.add_argument(
        "--choose",
        default="best",
        choices=("best", "random", "oracle"),
        help="among accepted dreams: as the planner does, at random, or after trying all of them "
        "in the simulator (default: best)",
    )
    parser.add_argument(
        "--oracle-steps", type=int, default=0, metavar="N",
        help="how far --choose oracle tries them (default: as far as they are executed)",
    )  # fmt: skip
    parser.add_argument(
        "--disturb",
        metavar="KIND[=AMOUNT]",
        help="let something go wrong: " + "; ".join(_kinds()),
    )
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="leave a video of every episode that failed"
    )
    parser.add_argument("--record-all", action="store_true", help="of all episodes, with --record")
    parser.add_argument(
        "--record-dreams",
        action="store_true",
        help="beside each video, what every candidate dreamed, for wm-planner label",
    )
    add_stack_arguments(parser)


def _kinds() -> Iterator[str]:
    """Return a line of help for each kind of disturbance."""
    for info in KINDS.values():
        unit = f" {info.unit}" if info.unit else ""
        bounds = f"{info.minimum:g} to {info.maximum:g}{unit}"
        yield f"{info.name} ({info.help}; {bounds}, default {info.default:.3g})"


def run(args: argparse.Namespace) -> int:
    """Evaluate and print a summary."""
    from wm_planner.closed_loop.episode import EpisodeSettings
    from wm_planner.closed_loop.evaluation import Evaluation, open_simulated_rig

    if args.workers < 1:
        raise ConfigurationError(f"--workers is {args.workers}, expected at least 1")
    for name in ("record_all", "record_dreams"):
        if getattr(args, name) and not args.record:
            option = "--" + name.replace("_", "-")
            raise ConfigurationError(f"{option}: needs --record DIR, where the videos go")
    config = read_stack_config(args)
    chosen = {"candidates": args.candidates, "execute_steps": args.execute_steps}
    planner = dataclasses.replace(
        config.planner, **{name: value for name, value in chosen.items() if value is not None}
    )
    validate(planner)
    validate(EpisodeSettings(latency_s=args.latency))
    replanning = config.replanning
    if args.on_drift is not None:
        replanning = dataclasses.replace(replanning, on_drift=args.on_drift)
    evaluation = Evaluation(
        config=dataclasses.replace(config, planner=planner, replanning=replanning),
        open_rig=functools.partial(open_simulated_rig, args.rig),
        task=args.task,
        episodes=args.episodes,
        seed=args.seed,
        instruction=args.instruction,
        untrained=tuple(sorted(set(args.untrained))),
        disturbance=Disturbance.parse(args.disturb) if args.disturb else None,
        films=args.record,
        film_all=args.record_all,
        dreams=args.record_dreams,
        latency_s=args.latency,
        choice=args.choose,
        oracle_steps=args.oracle_steps,
    )
    evaluate(evaluation, args.json, args.workers, args.resume)
    return 0


def evaluate(
    evaluation: Evaluation, path: Path | None = None, workers: int = 1, resume: bool = False
) -> dict[str, Any]:
    """Run what is missing of an evaluation, with a progress bar, and return the results file."""
    from tqdm import tqdm

    from wm_planner.closed_loop.evaluation import run_evaluation
    from wm_planner.closed_loop.results_file import ResultsFile

    file = ResultsFile(path, question(evaluation), evaluation.episodes)
    if resume:
        file.resume()
    missing = [seed for seed in evaluation.seeds if seed not in file.results]
    done = evaluation.episodes - len(missing)
    try:
        with tqdm(total=evaluation.episodes, initial=done, unit="episode", disable=None) as bar:
            for result in run_evaluation(evaluation, missing, workers):
                file.add(result)
                successes = sum(r.success for r in file.results.values())
                bar.set_postfix_str(f"{successes} succeeded", refresh=False)
                bar.update()
    finally:
        if file.results:
            print(tell(file.contents()))
    return file.contents()


def question(evaluation: Evaluation) -> dict[str, Any]:
    """Return what decides the results: the same question has the same answer."""
    from wm_planner.assembly import assemble
    from wm_planner.errors import UnknownNameError

    disturbance, config = evaluation.disturbance, evaluation.config
    goals, view = config.goals, config.view
    stack = assemble(config, evaluation.untrained)  # refuses what does not fit, early
    rig = evaluation.open_rig(stack.rig_description)
    try:
        if evaluation.task not in rig.tasks:
            raise UnknownNameError("task", evaluation.task, rig.tasks)
        if disturbance and disturbance.kind not in rig.disturbances:
            known = ", ".join(rig.disturbances) or "none"
            raise ConfigurationError(
                f"--disturb {disturbance.kind}: this rig's disturbances: {known}"
            )
    finally:
        rig.close()
    return {
        "task": evaluation.task,
        "seed": evaluation.seed,
        "candidates": config.planner.candidates,
        "execute_steps": config.planner.execute_steps,
        "latency_s": evaluation.latency_s,
        "replanning": dataclasses.asdict(config.replanning),
        "goals": None if goals == type(goals)() else dataclasses.asdict(goals),
        "view": None if view == type(view)() else dataclasses.asdict(view),
        "instruction": evaluation.instruction,
        "untrained": list(evaluation.untrained),
        "disturbance": dataclasses.asdict(disturbance) if disturbance else None,
        "choice": None if evaluation.choice == "best" else evaluation.choice,
        "oracle_steps": evaluation.oracle_steps or None,
        "rig": stack.rig_description.name,
        "model_settings": config.model_settings,
        **config.judging_settings,
        "bundles": {
            "world_model": stack.world_model.spec.bundle_hash,
            "inverse_dynamics": stack.inverse_dynamics.spec.bundle_hash,
        },
    }


def tell(contents: dict[str, Any]) -> str:
    """Return the summary that is printed."""
    low, high = (f"{100 * bound:.0f}" for bound in contents["interval_95"])
    lines = [
        f"{contents['task']}: {contents['successes']} of {contents['episodes']} succeeded, "
        f"{100 * contents['success_rate']:.0f}% (95% interval {low} to {high}%)"
        + ("" if contents["complete"] else f"; {contents['requested']} were asked for"),
        f"  {contents['candidates']} candidates, choice: {contents['choice'] or 'best'}, "
        f"instruction: {contents['instruction']}, "
        f"untrained: {', '.join(contents['untrained']) or 'none'}",
        f"  plans: {contents['plans']}, without one accepted candidate: {contents['no_plans']}",
        f"  limit violations: {contents['limit_violations']} of {contents['commands']} commands",
    ]
    for index, goal in enumerate(contents["by_goal"] or (), start=1):
        lines.append(
            f"  goal {index}: done {goal['done']}, seen by the planner {goal['seen']}, "
            f"both {goal['both']}; seen before it was done {goal['early']}"
        )
    if contents["disturbed"]:
        lines.append(f"  {_tell_disturbed(contents)}")
    for name in ("replans", "rejections", "refusals"):
        counts = ", ".join(f"{reason} {count}" for reason, count in contents[name].items())
        lines.append(f"  {name}: {counts or 'none'}")
    for stage, latency in contents["latency_ms"].items():
        lines.append(f"  {stage:>10}: p50 {latency['p50']:8.1f} ms, p95 {latency['p95']:8.1f} ms")
    return "\n".join(lines)


def _tell_disturbed(contents: dict[str, Any]) -> str:
    disturbed = contents["disturbed"]
    low, high = (f"{100 * bound:.0f}" for bound in disturbed["interval_95"])
    skipped = ", ".join(f"{reason} {count}" for reason, count in disturbed["skipped"].items())
    return (
        f"{Disturbance(**contents['disturbance']).text}: {disturbed['successes']} of "
        f"{disturbed['applied']} where it happened ({low} to {high}%), noticed in "
        f"{disturbed['noticed']}; skipped: {skipped or 'none'}"
    )

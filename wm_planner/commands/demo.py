"""Bring up the ROS graph with the simulated robot, do one task in closed loop, show what happened.

Leaves a folder with a bag (rosbag2, mcap), a video of the camera beside the executing dream, a
one-page report and metadata. Exit code 0 only where physics says that the task succeeded.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_planner.commands.up import add_graph_arguments
from wm_planner.errors import ConfigurationError, RigError

if TYPE_CHECKING:
    from wm_planner.assembly import StackConfig
    from wm_planner.robot.rig_description import RigDescription

NAME = "demo"
HELP = "one task on the simulated robot over real ROS 2, with video and report"

READY_TIMEOUT_S = 180.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    add_graph_arguments(parser, task="tray_lift")
    parser.set_defaults(real_time_factor=None)  # as fast as this machine plans in time
    parser.add_argument(
        "--instruction",
        action="append",
        help="what is asked for; may be repeated: one after the other; the task's usual words if "
        "absent",
    )
    parser.add_argument("--timeout", type=float, default=60.0, help="longest duration [s]")
    parser.add_argument("--out", type=Path, help="folder to leave; runs/<time>-demo if absent")


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 where the task succeeded, 1 where it did not."""
    from wm_planner.assembly import load_bundles, load_config
    from wm_planner.rigs.tasks import LONG_TASKS, TASKS
    from wm_planner.robot.rig_description import find_rig

    tasks = {**TASKS, **LONG_TASKS}
    if args.task not in tasks:
        raise ConfigurationError(f"task: got {args.task!r}, expected one of {', '.join(tasks)}")
    if args.instruction is None:
        args.instruction = [part.instructions[0] for part in tasks[args.task].parts]
    # What would only fail once everything runs is looked at first.
    config = load_config(Path(args.config).resolve() if args.config else None)
    rig = find_rig(config.rig)
    load_bundles(config, rig)
    if args.real_time_factor is None:
        args.real_time_factor = _pace(config)
    out = args.out or Path("runs", time.strftime("%Y%m%d-%H%M%S-demo"))
    if out.exists():
        raise ConfigurationError(f"{out} exists: choose another --out, or remove it")
    # Under another name until it is whole: what is left after a crash never looks finished.
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    facts = _act(args, rig, partial)
    _report(args, partial, facts)
    partial.rename(out)
    word = "succeeded" if facts["success"] else "did not succeed"
    print(f"{args.task} {word}: {out}/report.html, {out}/demo.mp4, {out}/bag")
    return 0 if facts["success"] else 1


def _pace(config: StackConfig) -> float:
    """The real-time factor at which this machine's plans come in time; says so below 1."""
    from wm_planner.assembly import assemble
    from wm_planner.commands.plan_timing import real_time_factor_for, time_a_plan

    stack = assemble(config)
    report = time_a_plan(stack)
    latency_s = sum(report.latency_s.values()) / len(report.rounds)
    replanning_s = stack.planner.settings.execute_steps * stack.world_model.spec.dt
    factor = real_time_factor_for(latency_s, replanning_s)
    if factor < 1.0:
        print(
            f"a plan takes {latency_s:.2f} s here: simulated time runs at {factor:g} of real time "
            "(--real-time-factor to choose)",
            flush=True,
        )
    return factor


def _act(args: argparse.Namespace, rig: RigDescription, folder: Path) -> dict[str, Any]:
    """Bring the graph up, do the task, take everything down; returns what is known about it."""
    from wm_planner.commands.demo_progress import DemoProgress
    from wm_planner.nodes.demo_session import run_recorded_task
    from wm_planner.nodes.graph_session import ros_context, running_graph, stay_on_this_machine
    from wm_planner.nodes.process_table import GraphOptions

    stay_on_this_machine()
    options = GraphOptions(
        config=str(Path(args.config).resolve()) if args.config else "",
        composed=not args.separate,
        simulator=args.simulator,
        task=args.task,
        seed=args.seed,
        real_time_factor=args.real_time_factor,
    )
    with (
        DemoProgress(args.timeout) as progress,
        ros_context() as context,
        running_graph(options, context, folder / "logs") as supervisor,
    ):
        progress.say("starting the graph")
        if not supervisor.wait_until_ready(READY_TIMEOUT_S):
            why = supervisor.manager.problem or "its nodes did not answer"
            raise RigError(f"the graph did not come up: {why}; see {folder}/logs")
        progress.say(f"“{', then '.join(args.instruction)}”")
        result = run_recorded_task(
            context,
            rig,
            folder / "bag",
            args.instruction,
            args.timeout,
            args.real_time_factor != 1.0,
            progress.feedback,
        )
        progress.say("shutting down")
        restarts = {name: kept.restarts for name, kept in supervisor.keeper.kept.items()}
    return {
        "task": args.task,
        "instruction": ", then ".join(args.instruction),
        "seed": args.seed,
        "success": result.success,
        "outcome": result.outcome.outcome,
        "message": result.outcome.message,
        "goals": len(args.instruction),
        "reached": result.outcome.reached,
        "duration_s": round(result.outcome.duration_s, 3),
        "plans": result.outcome.plans,
        "restarts": sum(restarts.values()),
        "separate_processes": args.separate,
        "real_time_factor": args.real_time_factor,
        "recorded": result.recorded,
    }


def _report(args: argparse.Namespace, folder: Path, facts: dict[str, Any]) -> None:
    """Turn the bag into a video and a page, and write the metadata."""
    from wm_planner.commands.demo_report.build import build_report

    config = Path(args.config).resolve() if args.config else None
    facts.update(build_report(folder, config, facts))
    text = json.dumps(facts, indent=2, sort_keys=True)
    (folder / "metadata.json").write_text(text + "\n", encoding="utf-8")

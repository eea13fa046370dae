"""Record scripted episodes of the simulated rig as a LeRobot v3 dataset.

Can be interrupted with Ctrl-C and run again: what is there is not recorded again. With more
--episodes a dataset grows. The episodes depend on the seeds alone, not on the number of workers.
With --policy planner the planner acts first, and the expert takes over where it did not succeed:
training on that teaches what to do after the planner's own errors (DAgger), and with --disturb
after things that it did not bring about.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from wm_planner.assembly import StackConfig
    from wm_planner.rigs.disturbance import Disturbance

MOVING = ("object_moved", "object_pushed", "arm_nudged")  # pictures are as they were
NAME = "collect"
HELP = "record training episodes on the simulated rig"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset folder")
    parser.add_argument(
        "--episodes", type=int, default=1000, metavar="N", help="number of episodes"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="first seed; one per episode from there on. Training uses seeds below 900000, "
        "validation those below 1000000, evaluation the rest",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="W", help="processes, at most one per CPU core"
    )
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK[=WEIGHT]",
        help="tasks and how often relative to each other, as in: reach pick_lift=2",
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        metavar="KIND[=WEIGHT]",
        help="expert, recovery (a mistake, mended), failure (not mended), play (random motion), "
        "stills (unrelated frames); only when named: near_miss (a hand beside the cube)",
    )
    parser.add_argument(
        "--policy",
        choices=("expert", "planner"),
        default="expert",
        help="who acts: the scripts (default), or the planner until the scripts take over",
    )
    parser.add_argument(
        "--variation",
        type=float,
        default=0.0,
        metavar="P",
        help="share of the expert's episodes, 0 to 1, with another light, other colours, the "
        "camera a centimetre or so off, and up to three things that do not matter",
    )
    parser.add_argument(
        "--disturb",
        nargs="+",
        metavar="KIND[=AMOUNT]",
        default=[],
        help="let one of these go wrong in every episode, by half to one and a half times the "
        "amount; kinds and units as in wm-planner evaluate. Experts go on unawares for up to 4 s, "
        "then look again; they know "
        f"{', '.join(MOVING)}",
    )
    add_stack_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from wm_planner.datasets.collection import CollectionPlan, Job, OpenRecorder, collect, recorded
    from wm_planner.datasets.planner_recorder import open_planner_recorder
    from wm_planner.datasets.simulated_recorder import open_simulated_recorder
    from wm_planner.rigs.collection import KINDS, SPECIAL_KINDS, TASK_SHARES
    from wm_planner.rigs.disturbance import Disturbance
    from wm_planner.rigs.tasks import TASKS

    if args.workers < 1:
        raise ConfigurationError(f"--workers {args.workers}: expected at least 1")
    policy, kinds = "expert", KINDS
    disturbances = tuple(Disturbance.parse(text) for text in args.disturb)
    open_recorder: OpenRecorder = functools.partial(
        open_simulated_recorder, args.variation, disturbances
    )
    if disturbances and args.policy == "expert":
        _check_expert(args, disturbances)
        kinds = {"recovery": 1.0}
    if args.policy == "planner":
        if args.kinds or args.variation:
            raise ConfigurationError("--kinds and --variation are for the expert's episodes")
        config = read_stack_config(args)
        policy, kinds = _planner_identity(config), {"planner": 1.0}
        open_recorder = functools.partial(open_planner_recorder, config, disturbances)
    plan = CollectionPlan(
        episodes=args.episodes,
        seed=args.seed,
        tasks=read_weights("task", args.tasks, TASKS, TASK_SHARES),
        kinds=read_weights("kind", args.kinds, (*KINDS, *SPECIAL_KINDS), kinds),
        policy=policy,
        variation=args.variation,
        disturbances=tuple(disturbance.text for disturbance in disturbances),
    )
    done = recorded(args.out, plan)
    successes = 0
    begin = time.monotonic()
    with tqdm(total=plan.episodes, initial=done, unit="episode", smoothing=0.05) as bar:

        def report(job: Job, success: bool) -> None:
            nonlocal successes
            successes += success
            bar.set_postfix_str(f"{successes} succeeded", refresh=False)
            bar.update()

        count = collect(args.out, plan, open_recorder, args.workers, report)
    minutes = (time.monotonic() - begin) / 60
    print(
        f"{args.out}: {plan.episodes} episodes, {count} of them recorded now in {minutes:.1f} min"
    )
    return 0


def _check_expert(args: argparse.Namespace, disturbances: Sequence[Disturbance]) -> None:
    """Raise ConfigurationError where an expert cannot be disturbed like this."""
    if args.kinds or args.variation:
        raise ConfigurationError("--kinds and --variation are for undisturbed episodes")
    for disturbance in disturbances:
        if disturbance.kind not in MOVING:
            raise ConfigurationError(
                f"--disturb {disturbance.kind}: experts know {', '.join(MOVING)}; "
                "the others are for --policy planner"
            )


def _planner_identity(config: StackConfig) -> str:
    """Name the planner by its models, which are what its behaviour hangs on."""
    from wm_planner.assembly import load_bundles
    from wm_planner.robot.rig_description import find_rig

    bundles = load_bundles(config, find_rig(config.rig))
    return "planner " + " ".join(bundle.bundle_hash[:12] for bundle in bundles.values())


def read_weights(
    what: str, words: Sequence[str] | None, known: Collection[str], default: Mapping[str, float]
) -> dict[str, float]:
    """Turns words such as "reach" and "pick_lift=2" into relative frequencies by name."""
    if words is None:
        return dict(default)
    weights = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in known:
            raise UnknownNameError(what, name, known)
        try:
            weights[name] = float(number or 1)
        except ValueError:
            raise ConfigurationError(
                f"{what} {word!r}: {number!r} after = is not a number"
            ) from None
    return weights

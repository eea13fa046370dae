"""Replay bags offline through the planner's own cores, as fast as this machine can.

Deterministic: the same bags, configuration and models give the same output_hash, whatever the
number of workers. Open loop: the recorded robot does not follow the replayed plans. Leaves
report.json, report.html and, for each bag, a bag with everything that was planned. What is done
already in the same folder is not done again, so Ctrl-C loses no bag that is done. Exit code 1 where
a bag failed, or, with --against, where the two configurations decide differently.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_planner.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from wm_planner.replay.job import ReplayJob
    from wm_planner.replay.many import Result

NAME = "replay"
HELP = "recorded bags in, plans and differences out; no ROS, no robot"
EXIT_DIFFERENT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="rosbag2 or ROS 1")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to leave")
    parser.add_argument("--rig", help="name or file, instead of the configuration's")
    parser.add_argument("--config", type=Path, metavar="YAML", help="what plans")
    parser.add_argument("--against", type=Path, metavar="YAML", help="compare with another")
    parser.add_argument("--instruction", help="instead of what the bag says was asked for")
    parser.add_argument("--seed", type=int, default=0, help="of the run (0, as the nodes')")
    parser.add_argument(
        "--workers",
        type=int,
        help="bags at a time, by Ray where more than one (1; on a cluster all its processors)",
    )
    parser.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="of a running Ray cluster, such as auto or HOST:6379; its machines see the same files",
    )
    parser.add_argument(
        "--latency",
        choices=("zero", "recorded", "modelled"),
        default="zero",
        help="how long planning takes in the recording's time: not at all (zero); as it took the "
        "bag's own planner, on the frames it looked at (recorded); log-normal (modelled)",
    )
    parser.add_argument("--latency-median", type=float, default=0.3, help="where modelled [s]")
    parser.add_argument("--latency-spread", type=float, default=0.2, help="of its logarithm")
    parser.add_argument(
        "--settings",
        choices=("recorded", "configured"),
        help="of models, filters, scorers and planner: as the bag says they were and were changed "
        "(recorded), or as configured (configured; the default with --config or --against)",
    )
    parser.add_argument("--no-copy", action="store_true", help="leave recorded topics out of DIR")


def run(args: argparse.Namespace) -> int:
    """Replay, write the reports, say what was found."""
    from wm_planner.commands.replay_report.build import write_reports
    from wm_planner.replay.comparison import compare
    from wm_planner.replay.many import output_hash, replay_many
    from wm_planner.replay.margins import COMMANDED, path_margins
    from wm_planner.replay.provenance import provenance

    if args.workers is None and args.ray_address is None:
        args.workers = 1
    if args.settings is None:
        args.settings = "configured" if args.config or args.against else "recorded"
    if args.workers is not None and args.workers < 1:
        raise ConfigurationError(f"workers: got {args.workers}, expected at least 1")
    names = [telling_name(bag, args.bags) for bag in args.bags]
    jobs = _jobs(args, args.config, "bags", names)
    against = _jobs(args, args.against, "against", names) if args.against else []
    jobs_of_both = [*jobs, *against]
    # What is wrong with a configuration is told before anything is replayed.
    made_with = [
        {"configuration": str(path or "planner.yaml of the package"), **provenance(of_one[0])}
        for path, of_one in ((args.config, jobs), (args.against, against))
        if of_one
    ]
    with _Progress(len(jobs_of_both)) as progress:
        results = replay_many(jobs_of_both, args.workers, args.ray_address, progress.done)
    named = [
        {**result, "bag": name}
        for result, name in zip(results, names * len(made_with), strict=True)
    ]
    first, second = named[: len(jobs)], named[len(jobs) :]
    report: dict[str, Any] = {
        "open_loop": True,
        "output_hash": output_hash(first),
        "made_with": made_with[0],
        "paths": path_margins(first),
        "command_paths": path_margins(first, COMMANDED),
        "bags": first,
    }
    if against:
        # The order of reading: from --against, which is known, to --config, which is new.
        report["against"] = {
            "output_hash": output_hash(second),
            "made_with": made_with[1],
            "bags": second,
        }
        report["comparison"] = compare(second, first)
    try:
        write_reports(args.out, report, [job.folder for job in jobs])
    except OSError as error:
        raise DataError(f"{args.out} could not be written: {error.strerror}") from error
    failed = [result for result in named if "error" in result]
    _tell(args.out, report, failed, args.latency)
    different = bool(against) and not report["comparison"]["same"]
    return EXIT_DIFFERENT if failed or different else 0


def _jobs(
    args: argparse.Namespace, config: Path | None, kind: str, names: Sequence[str]
) -> list[ReplayJob]:
    from wm_planner.replay.job import ReplayJob
    from wm_planner.replay.latency import LatencySettings
    from wm_planner.settings import from_mapping

    told = ("latency", "latency_median", "latency_spread")
    latency = from_mapping(LatencySettings, {one: getattr(args, one) for one in told})
    return [
        ReplayJob(
            # Absolute, because workers may be at work elsewhere.
            bag=bag.absolute(),
            folder=args.out.absolute() / kind / f"{index:04d}-{name.replace('/', '-')}",
            config=config and config.absolute(),
            rig=args.rig and _absolute(args.rig),
            instruction=args.instruction,
            seed=args.seed,
            latency=latency,
            copy=not args.no_copy,
            follow_settings=args.settings == "recorded",
        )
        for index, (bag, name) in enumerate(zip(args.bags, names, strict=True))
    ]


def telling_name(bag: Path, bags: Sequence[Path]) -> str:
    """Return a bag's name, after as many of its folders as tell it from all others."""
    whole, parts = {other.resolve() for other in bags}, bag.resolve().parts
    for count in range(1, len(parts)):
        if sum(other.parts[-count:] == parts[-count:] for other in whole) == 1:
            return "/".join(parts[-count:])
    return str(bag)


def _absolute(rig: str) -> str:
    """A rig that is a file, told so that it is found from everywhere; a name as it is."""
    return str(Path(rig).absolute()) if rig.endswith((".yaml", ".yml")) else rig


def _tell(out: Path, report: dict[str, Any], failed: list[Result], latency: str) -> None:
    for result in failed:
        print(f"failed: {result['bag']}: {result['error']}")
    for result in report["bags"]:
        if "error" in result:
            continue
        recorded = result["recorded"]
        same = ""
        if recorded["compared"]:
            same = f", {recorded['identical']} of {recorded['compared']} as recorded to the bit"
            if recorded["identical"] < recorded["compared"] and latency != "recorded":
                same += " (with --latency recorded plans take as long as they took)"
        if recorded["other_model"]:
            same += " (recorded with another world model)"
        print(
            f"{result['bag']}: {result['plans']} plans in {result['planning_cycles']} cycles{same}"
        )
        followed = [one for one in result["settings"] if not one["unused"]]
        if followed:
            begun = sum(not one["stamp_ns"] for one in followed)
            print(
                f"{result['bag']}: as recorded, {begun} settings unlike the configuration's, "
                f"{len(followed) - begun} changes of settings on the way (--settings)"
            )
    if "comparison" in report:
        found = report["comparison"]
        for side, reasons in found["flips"].items():
            for reason, count in reasons.items():
                print(f"now {side}: {count} candidates for {reason}")
        where = found["first_divergence"]
        print(f"first divergence: {where['bag']}, {where['says']}" if where else "no difference")
    if len(failed) == len(report["bags"]):
        print(f"nothing was replayed: {out}/report.html")
        return
    print(f"output hash {report['output_hash'][:16]}, {out}/report.html (open loop)")


class _Progress:
    """A bar over bags on a terminal, a line a bag elsewhere."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("replaying", total=total)
        self._done, self._total = 0, total

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def done(self, job: ReplayJob, result: Result) -> None:
        """Count a bag."""
        self._done += 1
        self._bar.update(self._task, advance=1, description=job.bag.name)
        if self._bar.disable and self._total > 1:
            said = "failed" if "error" in result else "replayed"
            print(f"{self._done} of {self._total}: {said} {job.folder.name}", file=sys.stderr)

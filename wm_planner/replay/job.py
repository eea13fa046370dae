"""Replays one bag with one configuration and leaves what came of it in a folder."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from wm_planner.assembly import Stack, StackConfig, assemble, load_config
from wm_planner.errors import ConfigurationError, DataError, WmPlannerError
from wm_planner.messages.arrays import to_ns
from wm_planner.replay.bag import Bag
from wm_planner.replay.bag_topics import BagTopics, find_topics
from wm_planner.replay.digest import digest
from wm_planner.replay.foresight import ForesightObserver
from wm_planner.replay.latency import (
    Latency,
    LatencySettings,
    ModelledLatency,
    RecordedLatency,
    ZeroLatency,
)
from wm_planner.replay.moments import write_moments
from wm_planner.replay.output_bag import OutputBag
from wm_planner.replay.pictures_ahead import with_pictures
from wm_planner.replay.pipeline import Look, Pipeline
from wm_planner.replay.recorded_commands import CommandListener
from wm_planner.replay.recorded_match import RecordedMatch
from wm_planner.replay.recorded_run import Assignment, RecordedRun, read_recorded_run
from wm_planner.replay.result import ResultBuilder, number
from wm_planner.robot.rig_description import find_rig
from wm_planner.types import ObservationWindow, Plan

RESULT, BAG = "result.json", "bag"
CLOCK_SAMPLES = 20
OTHER_CLOCK_NS = 500_000_000  # stamps this far from the time of recording are another clock's
FORMAT = 4  # of all that is left; what is left in another one is made again


@dataclass(frozen=True)
class ReplayJob:
    """What to replay, and how.

    Attributes:
        bag: folder or file.
        folder: to leave; made under another name until it is whole.
        config: planner.yaml, None for the one that comes with the package.
        rig: instead of the configuration's.
        instruction: instead of what the bag says; needed where it says nothing.
        seed: with the stamp of a frame it fixes all randomness of a plan.
        latency: how long planning takes.
        copy: whether the recorded topics are copied beside the plans.
        follow_settings: whether settings are those of the recording, also what was set meanwhile,
            or those of the configuration.
    """

    bag: Path
    folder: Path
    config: Path | None = None
    rig: str | None = None
    instruction: str | None = None
    seed: int = 0
    latency: LatencySettings = dataclasses.field(default_factory=LatencySettings)
    copy: bool = True
    follow_settings: bool = True

    @property
    def stack_config(self) -> StackConfig:
        """The configuration with this job's rig, without hurry."""
        config = load_config(self.config).without_hurry()
        return config if self.rig is None else dataclasses.replace(config, rig=self.rig)

    @property
    def key(self) -> str:
        """Equal for jobs that give the same result: inputs as they are now, without the folder."""
        config = self.stack_config
        bundles = (config.world_model.bundle, config.inverse_dynamics.bundle)
        manifests = [(path / "bundle.json").read_text(encoding="utf-8") for path in bundles]
        files = sorted(self.bag.iterdir()) if self.bag.is_dir() else [self.bag]
        found = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        rig = find_rig(config.rig)
        robot = (rig, rig.urdf.read_text(encoding="utf-8"))
        settings = (self.instruction, self.seed, self.latency, self.copy, self.follow_settings)
        inputs = [str(self.bag.resolve()), found, config, robot, manifests]
        return digest([*inputs, settings, FORMAT])


def replay_bag(job: ReplayJob) -> dict[str, Any]:
    """Replay; returns what is in the folder's `result.json`.

    Raises:
        DataError: the bag cannot be used, or the result not be written.
    """
    # One name for all processes: what a killed one has left is taken away by the next.
    partial = job.folder.with_name(f"{job.folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        # Sums may differ in last bits with the number of threads, and Ray's processes have one.
        with threadpool_limits(1):
            result = _replay(job, partial)
        text = json.dumps(result, allow_nan=False)
        (partial / RESULT).write_text(text + "\n", encoding="utf-8")
        shutil.rmtree(job.folder, ignore_errors=True)
        partial.rename(job.folder)
        return dict(json.loads(text))  # as a later run will find it
    except OSError as error:
        raise DataError(f"{job.folder} could not be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_result(job: ReplayJob) -> dict[str, Any] | None:
    """Return what an earlier run of the same job left, None where there is none."""
    try:
        result = json.loads((job.folder / RESULT).read_text(encoding="utf-8"))
        left = [f"{BAG}/metadata.yaml", *(moment["picture"] for moment in result["moments"])]
        whole = all((job.folder / name).is_file() for name in left)
        return result if whole and result["key"] == job.key else None
    except (OSError, ValueError, KeyError, TypeError, WmPlannerError):
        return None


def _replay(job: ReplayJob, folder: Path) -> dict[str, Any]:
    stack = assemble(job.stack_config)
    with Bag(job.bag) as bag:
        topics, run = find_topics(bag, stack), read_recorded_run(bag)
        match = RecordedMatch(bag, stack.robot.joint_names)
        result, foresight = ResultBuilder(), ForesightObserver(stack)
        latency = _latency(job, run)
        offset_ns = _clock_offset_ns(bag, topics)
        commands = CommandListener(bag, stack.robot, offset_ns)

        def observed(window: ObservationWindow) -> None:
            for one in foresight.observed(window):
                result.foresaw(one)

        pipeline = Pipeline(
            stack,
            bag,
            topics,
            _assignments(job, run, stack),
            latency,
            job.seed,
            job.follow_settings,
            offset_ns,
            observed,
        )
        with OutputBag(folder / BAG, bag, stack, job.copy) as output:

            def took(look: Look) -> None:
                result.looked(look)
                if look.report is None or look.reason is None:
                    return
                match.made(look.stamp_ns, look.report)
                scene = look.window.images[stack.world_model.spec.camera][-1]
                output.write(look.report, look.reason, scene, look.done_ns)
                if isinstance(look.report.plan, Plan):
                    foresight.planned(look.report.plan, look.window)

            heard = {*topics.all, *match.topics}
            wanted = {*heard, *commands.topics}
            records = bag.records(None if job.copy else wanted)
            for record, picture in with_pictures(bag, records, topics.pictures):
                result.heard(record.log_ns)
                output.copy(record)
                match.hear(record)
                if (command := commands.hear(record)) is not None:
                    foresight.commanded(*command)
                if record.topic in heard:
                    for look in pipeline.take(record, picture):
                        took(look)
            for look in pipeline.finish():
                took(look)
        for one in foresight.finish():
            result.foresaw(one)
        match.finish()
        moments = write_moments(folder, result, stack)
    built = result.built()
    if not built["looks"]:
        why = "; ".join(f"{why} ({count})" for why, count in pipeline.most_dropped())
        raise DataError(
            f"bag {job.bag}: no frame could be planned on, of {result.messages} messages"
            + (f"; not used: {why}" if why else "")
        )
    facts = {
        "key": job.key,
        "bag": job.bag.name,
        "instructions": [_told_goals(a) for a in _assignments(job, run, stack)],
        "latency": dataclasses.asdict(job.latency),
        "seed": job.seed,
        "ends": pipeline.ends,
        "settings": [dataclasses.asdict(change) for change in pipeline.settings.changes],
        "dropped": {**pipeline.dropped, **commands.dropped},
        "recorded": _told(match),
        "moments": moments,
    }
    return {**facts, **built}


def _latency(job: ReplayJob, run: RecordedRun) -> Latency:
    if job.latency.latency == "modelled":
        return ModelledLatency(job.latency, job.seed)
    if job.latency.latency == "zero":
        return ZeroLatency()
    if not run.looked:
        raise DataError(
            f"bag {job.bag} holds no progress of a planner, which latency recorded follows; "
            "choose zero or modelled"
        )
    return RecordedLatency(run.looked, run.rounds)


def _assignments(job: ReplayJob, run: RecordedRun, stack: Stack) -> tuple[Assignment, ...]:
    if job.instruction is not None and not run.assignments:
        return (Assignment.of(job.instruction),)
    if job.instruction is not None:
        found = run.assignments
        return tuple(Assignment.of(job.instruction, a.begun_ns, a.end_ns) for a in found)
    if not run.assignments:
        known = "; ".join(stack.world_model.spec.instructions)
        raise ConfigurationError(
            f"bag {job.bag} does not say what was to be done: give --instruction (known: {known})"
        )
    return run.assignments


def _told_goals(assignment: Assignment) -> str:
    """Instructions in their order, attempt after attempt at the same goal told once."""
    goals = {attempt.goal: attempt.instruction for attempt in assignment.attempts}
    return ", then ".join(goals.values())


def _clock_offset_ns(bag: Bag, topics: BagTopics) -> int:
    """What leads from times of recording to the stamps' clock; 0 where they share one."""
    offsets = []
    for record in bag.records([topics.pictures]):
        try:
            offsets.append(to_ns(bag.unpack(record).header.stamp) - record.log_ns)
        except DataError:
            continue
        if len(offsets) == CLOCK_SAMPLES:
            break
    # The upper median: between two clocks, where one was set back, lies neither.
    offset = sorted(offsets)[len(offsets) // 2] if offsets else 0
    return offset if abs(offset) > OTHER_CLOCK_NS else 0


def _told(match: RecordedMatch) -> dict[str, Any]:
    """Recorded against replayed plans, for the result."""
    unlike, models = [m for m in match.matches if m.differing], match.other_model
    return {
        "compared": len(match.matches),
        "identical": len(match.matches) - len(unlike),
        "other_model": models and {"recorded": models[0], "replayed": models[1]},
        "only_recorded": len(match.only_recorded),
        "only_replayed": len(match.only_replayed),
        "differing": [
            {
                "stamp_ns": m.stamp_ns,
                "fields": {name: number(value) for name, value in m.largest.items()},
            }
            for m in unlike
        ],
    }

"""Records many episodes in parallel processes into one dataset that can be resumed and extended.

The dataset depends on the plan alone: each seed decides its task, its kind and all that happens,
and each shard of the dataset is a fixed run of seeds, whoever records it and when.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import multiprocessing
import os
import queue
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_planner.datasets.atomic_file import write_json
from wm_planner.datasets.episode import KINDS, Episode
from wm_planner.datasets.lerobot_index import begin, finish
from wm_planner.datasets.lerobot_writer import shard_numbers, shard_seeds, write_shard
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.worker_process import end_with_parent, leave_interrupts_to_parent

FIRST_TEST_SEED = 1_000_000
"""Seeds from here on belong to evaluation and are never recorded."""

FIRST_VALIDATION_SEED = 900_000
"""Seeds from here to `FIRST_TEST_SEED` are for validation, those below for training."""

PLAN_PATH = "collection.json"

Record = Callable[[str, int, str], Mapping[str, Any]]
"""(task, seed, kind) to the fields of an `Episode`; the same arguments give the same episode."""

OpenRecorder = Callable[[], Record]
"""Called once in each worker process; must be a function of a module, to be found again there."""


@dataclass(frozen=True)
class Job:
    """One episode to record; the recorder may turn the kind into another that fits better."""

    seed: int
    task: str
    kind: str


@dataclass(frozen=True)
class CollectionPlan:
    """What to record. Everything but `episodes` is fixed once the first episode is on disk.

    Attributes:
        episodes: Number of episodes, with the seeds `seed`, `seed` + 1, ...
        seed: The first seed.
        tasks: Task name to relative frequency.
        kinds: Kind (see `wm_planner.datasets.episode.KINDS`) to relative frequency.
        fps: Frames per second that the recorder records.
        robot_type: Name of the rig.
        shard_size: Episodes per file.
        policy: Who acts; with the models' hashes where it is the planner.
        variation: Share of episodes with another light, colours, camera pose and clutter.
        disturbances: What goes wrong while the planner acts, one an episode; text of each.
    """

    episodes: int
    seed: int
    tasks: Mapping[str, float]
    kinds: Mapping[str, float]
    fps: int = 5
    robot_type: str = "simulated_bimanual"
    shard_size: int = 50
    policy: str = "expert"
    variation: float = 0.0
    disturbances: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.episodes < 1 or self.seed < 0:
            raise ConfigurationError(
                f"{self.episodes} episodes from seed {self.seed}: at least 1 from seed 0 on"
            )
        last = self.seed + self.episodes - 1
        if last >= FIRST_TEST_SEED:
            raise ConfigurationError(
                f"seeds {self.seed} to {last}: those from {FIRST_TEST_SEED} on are for evaluation"
            )
        if self.seed < FIRST_VALIDATION_SEED <= last:
            raise ConfigurationError(
                f"seeds {self.seed} to {last} mix training and validation, which begins at "
                f"{FIRST_VALIDATION_SEED}"
            )
        for name, weights in (("tasks", self.tasks), ("kinds", self.kinds)):
            numbers = list(weights.values())
            if not numbers or min(numbers) < 0 or not 0 < sum(numbers) < np.inf:
                raise ConfigurationError(f"{name}: weights {dict(weights)} are not frequencies")
        if not 0 <= self.variation <= 1:
            raise ConfigurationError(f"variation is {self.variation}, expected 0 to 1")
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown:
            raise ConfigurationError(f"kinds: {unknown} unknown, known are {', '.join(KINDS)}")

    def shards(self) -> list[list[Job]]:
        """The episodes in order, cut into shards."""
        jobs = [self._job(self.seed + index) for index in range(self.episodes)]
        starts = range(0, self.episodes, self.shard_size)
        return [jobs[start : start + self.shard_size] for start in starts]

    def _job(self, seed: int) -> Job:
        # A stream of its own: what the recorder draws from the seed stays independent of this.
        generator = np.random.default_rng([seed, 11])
        return Job(seed, _draw(generator, self.tasks), _draw(generator, self.kinds))


def collect(
    root: Path,
    plan: CollectionPlan,
    open_recorder: OpenRecorder,
    workers: int = 1,
    report: Callable[[Job, bool], None] = lambda job, success: None,
) -> int:
    """Records what of the plan is not in the dataset yet, and finishes the dataset.

    On an interrupt or an error, the whole shards are kept and make a valid, smaller dataset; the
    same call again goes on from there.

    Args:
        root: The dataset's folder; made if missing.
        plan: What to record.
        open_recorder: Makes each worker's recorder.
        workers: Number of processes.
        report: Called after each episode with its success.

    Returns:
        The number of episodes recorded by this call.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        _check_plan(root, plan)
        shards = plan.shards()
        missing = {n: jobs for n, jobs in enumerate(shards) if not _is_recorded(root, n, jobs)}
        begin(root)
        try:
            if missing:
                _record(root, plan, missing, open_recorder, workers, report)
        finally:
            if shard_numbers(root):
                finish(root, plan.robot_type, plan.fps)
    return sum(len(jobs) for jobs in missing.values())


def recorded(root: Path, plan: CollectionPlan) -> int:
    """How many of the plan's episodes are on disk and will not be recorded again."""
    shards = enumerate(plan.shards())
    return sum(len(jobs) for number, jobs in shards if _is_recorded(root, number, jobs))


def _is_recorded(root: Path, number: int, jobs: list[Job]) -> bool:
    return shard_seeds(root, number) == [job.seed for job in jobs]


def _record(
    root: Path,
    plan: CollectionPlan,
    shards: Mapping[int, list[Job]],
    open_recorder: OpenRecorder,
    workers: int,
    report: Callable[[Job, bool], None],
) -> None:
    """Records shards in parallel; returns when all are whole, or raises and stops the workers."""
    # A fresh interpreter each: a forked copy of GL contexts and threads does not work.
    context = multiprocessing.get_context("spawn")
    stop, reports = context.Event(), context.Queue()
    setup = (open_recorder, root, plan.fps, stop, reports)
    with _single_threaded_children():
        pool = ProcessPoolExecutor(min(workers, len(shards)), context, _start_worker, setup)
        futures: list[Future] = []
        try:
            futures = [pool.submit(_record_shard, *shard) for shard in shards.items()]
            while not all(future.done() for future in futures):
                _drain(reports, report, timeout_s=0.2)
                for future in futures:
                    if future.done():
                        future.result()  # raises what went wrong there
            _drain(reports, report, timeout_s=0.2)
            for future in futures:
                future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a recording process died (out of memory, or killed); the whole shards are kept, "
                "run the same command again"
            ) from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _drain(reports: Any, report: Callable[[Job, bool], None], timeout_s: float) -> None:
    """Passes on the reports that are there, waiting for the first."""
    while True:
        try:
            job, success = reports.get(timeout=timeout_s)
        except queue.Empty:
            return
        report(job, success)
        timeout_s = 0.0


_worker: dict[str, Any] = {}  # the state of a worker process, set once by `_start_worker`


def _start_worker(
    open_recorder: OpenRecorder, root: Path, fps: int, stop: Any, reports: Any
) -> None:
    leave_interrupts_to_parent()  # it sets `stop`
    end_with_parent()
    _worker.update(record=open_recorder(), root=root, fps=fps, stop=stop, reports=reports)


def _record_shard(number: int, jobs: list[Job]) -> None:
    episodes = []
    for job in jobs:
        parent = multiprocessing.parent_process()
        if _worker["stop"].is_set() or (parent is not None and not parent.is_alive()):
            return
        try:
            episode = Episode.from_mapping(_worker["record"](job.task, job.seed, job.kind))
        except Exception as error:
            raise DataError(f"recording {job} failed: {type(error).__name__}: {error}") from error
        if episode.seed != job.seed:
            raise DataError(f"asked for {job}, the recorder gave seed {episode.seed}")
        episodes.append(episode)
        _worker["reports"].put((job, episode.success))
    write_shard(_worker["root"], number, episodes, _worker["fps"])


def _check_plan(root: Path, plan: CollectionPlan) -> None:
    """Keeps the plan in the dataset; refuses one that does not continue the one that is there."""
    path = root / PLAN_PATH
    now = json.loads(json.dumps(dataclasses.asdict(plan)))
    if path.exists():
        before = {"policy": "expert", "variation": 0.0, "disturbances": []} | json.loads(
            path.read_text(encoding="utf-8")
        )
        for name, value in now.items():
            if name != "episodes" and before.get(name) != value:
                raise ConfigurationError(
                    f"{root} was begun with {name} {before.get(name)}, not {value}: give the same, "
                    "or another folder"
                )
        if now["episodes"] < before["episodes"]:
            raise ConfigurationError(
                f"{root} was begun with {before['episodes']} episodes: ask for as many or more"
            )
    write_json(path, now)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Holds the dataset for this process; the lock goes with the process."""
    with (root / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{root}: another process is collecting into this folder") from error
        yield


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Lets each process started within use one thread for linear algebra: there is one per core."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _draw(generator: np.random.Generator, weights: Mapping[str, float]) -> str:
    probabilities = np.array(list(weights.values()), dtype=float)
    return str(generator.choice(list(weights), p=probabilities / probabilities.sum()))

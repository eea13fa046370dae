"""Many replays: each for itself, in as many processes as wanted, results in the order asked for."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any

from wm_planner.errors import WmPlannerError
from wm_planner.replay.digest import chained
from wm_planner.replay.job import ReplayJob, read_result, replay_bag
from wm_planner.replay.ray_workers import on_ray

Result = dict[str, Any]


def replay_many(
    jobs: Sequence[ReplayJob],
    workers: int | None = 1,
    ray_address: str | None = None,
    on_done: Callable[[ReplayJob, Result], None] = lambda job, result: None,
) -> list[Result]:
    """Return one result a job; one that failed has only `bag` and `error`.

    What an earlier run has left for the same job is taken as it is.

    Args:
        jobs: what to replay; folders must differ, and their paths mean the same to all workers.
        workers: processes of Ray; 1 without an address works in this one, without Ray, and None
            takes all processors of the cluster.
        ray_address: of a cluster, None for one on this machine.
        on_done: called after each job, in the order in which they end.

    Raises:
        ConfigurationError: Ray is needed and cannot be had.
    """
    results: dict[int, Result] = {}

    def done(index: int, result: Result) -> None:
        results[index] = result
        on_done(jobs[index], result)

    waiting = []
    for index, job in enumerate(jobs):
        earlier = read_result(job)
        if earlier is None:
            waiting.append(index)
        else:
            done(index, earlier)
    if ray_address is None and (workers == 1 or len(waiting) < 2):
        for index in waiting:
            done(index, _replay_alone(jobs[index]))
        waiting = []
    if waiting:
        left = [jobs[index] for index in waiting]
        for number, found in on_ray(_replay_alone, left, workers, ray_address):
            job = left[number]
            died = isinstance(found, WmPlannerError)
            done(waiting[number], _failed(job, str(found)) if died else found)
    return [results[index] for index in range(len(jobs))]


def output_hash(results: Sequence[Result]) -> str:
    """Return one hash over all replays, in their order."""
    total = ""
    for result in results:
        total = chained(total, result.get("output_hash", "failed"))
    return total


def _replay_alone(job: ReplayJob) -> Result:
    """One bag's failure is its own, foreseen or not."""
    try:
        return replay_bag(job)
    except (WmPlannerError, OSError) as error:
        return _failed(job, str(error))
    except Exception as error:  # a mistake of ours, which other bags may not meet
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename}:{place.lineno}"
        return _failed(job, f"{type(error).__name__} at {where}: {' '.join(str(error).split())}")


def _failed(job: ReplayJob, error: str) -> Result:
    return {"bag": job.bag.name, "error": error}

"""Many replays: each for itself, in as many processes as wanted, results in the order asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from wm_planner.errors import WmPlannerError
from wm_planner.replay.digest import chained
from wm_planner.replay.job import ReplayJob, read_result, replay_bag
from wm_planner.worker_process import end_with_parent

Result = dict[str, Any]


def replay_many(
    jobs: Sequence[ReplayJob],
    workers: int = 1,
    on_done: Callable[[ReplayJob, Result], None] = lambda job, result: None,
) -> list[Result]:
    """Return one result a job; one that failed has only `bag` and `error`.

    What an earlier run has left for the same job is taken as it is.

    Args:
        jobs: what to replay; folders must differ.
        workers: processes; 1 works in this one.
        on_done: called after each job, in the order in which they end.
    """
    results: dict[int, Result] = {}

    def done(index: int, result: Result) -> None:
        results[index] = result
        on_done(jobs[index], result)

    waiting = []
    for index, job in enumerate(jobs):
        earlier = _guarded(read_result, job)
        if earlier is None:
            waiting.append(index)
        else:
            done(index, earlier)
    if workers == 1 or len(waiting) < 2:
        for index in waiting:
            done(index, _guarded(replay_bag, jobs[index]))
    else:
        # A fresh interpreter: threads of a loaded runtime do not survive a fork.
        with ProcessPoolExecutor(workers, get_context("spawn"), end_with_parent) as pool:
            running = {pool.submit(_guarded, replay_bag, jobs[i]): i for i in waiting}
            for future in as_completed(running):
                index = running[future]
                error = future.exception()  # of a worker that died
                failed = {"bag": jobs[index].bag.name, "error": f"{type(error).__name__}: {error}"}
                done(index, failed if error else future.result())
    return [results[index] for index in range(len(jobs))]


def output_hash(results: Sequence[Result]) -> str:
    """Return one hash over all replays, in their order."""
    total = ""
    for result in results:
        total = chained(total, str(result.get("output_hash") or result["error"]))
    return total


def _guarded(work: Callable[[ReplayJob], Any], job: ReplayJob) -> Any:
    """One bag's failure is its own."""
    try:
        return work(job)
    except (WmPlannerError, OSError) as error:
        return {"bag": job.bag.name, "error": str(error)}

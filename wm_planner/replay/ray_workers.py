"""Work shared between the processes of a Ray cluster: one started here, or one that is running."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from wm_planner.errors import ConfigurationError, WorkerError

OBJECT_STORE_BYTES = 100_000_000  # results are small
RETRIES = 1  # of work whose process died: the machine may have run out of memory just then
KNOCK_TIMEOUT_S = 10.0


def on_ray(
    work: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[tuple[int, Any]]:
    """Yield the number of each item and what `work` returned for it, in the order of their ends.

    Where the process that was at work died, twice, what is yielded is a WorkerError. Leaving the
    iterator, however that happens, ends what is still at work.

    Args:
        work: called with one item; must not raise.
        items: to share; they reach the processes by pickle.
        workers: processes at a time; None for as many as the cluster has processors.
        address: of a cluster; None starts one for `workers` on this machine, for this call alone.

    Raises:
        ConfigurationError: Ray is not installed, or no cluster at the address.
    """
    ray = _import_ray()
    _connect(ray, workers, address)
    try:
        run = ray.remote(num_cpus=1, max_retries=RETRIES)(work)
        waiting = list(enumerate(items))
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and (workers is None or len(running) < workers):
                number, item = waiting.pop(0)
                running[run.remote(item)] = number
            (ended,), _ = ray.wait(list(running), num_returns=1)
            try:
                found = ray.get(ended)
            except ray.exceptions.RayError as error:
                cause = getattr(error, "cause", None) or error
                found = WorkerError(f"its process failed: {_first_line(cause)}")
            yield running.pop(ended), found
    finally:
        ray.shutdown()


def _import_ray() -> ModuleType:
    # Read when Ray is imported or started. Nobody is told that it runs; processes see the same
    # GPUs as this one.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if "ray" not in sys.modules and (Path.home() / ".ray" / "auth_token").exists():
        # `ray start` then asks for it, and whoever joins has to be told to show it. Ray reads this
        # when it is imported: said later, its parts would disagree.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError(
            "several workers need Ray, which is not installed: pip install 'wm_planner[ray]'"
        ) from error
    return ray


def _connect(ray: ModuleType, workers: int | None, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        size = {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES}
        ray.init(address="local", include_dashboard=False, **size, **quiet)
        return
    try:
        _knock(address)  # Ray itself waits for minutes where nobody answers
        ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        said = _first_line(error)
        raise ConfigurationError(f"no Ray cluster at {address}: {said}") from error


def _knock(address: str) -> None:
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon:  # auto has none: Ray knows where its own is
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_TIMEOUT_S).close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)

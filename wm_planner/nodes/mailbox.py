"""One worker thread that always takes the newest job: inference never runs in a callback."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from wm_planner.errors import WmPlannerError

_log = logging.getLogger(__name__)


class SupersededError(WmPlannerError):
    """A newer job took the place of this one before it began."""


class Job:
    """Something to be worked out, and what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work, self._done = work, threading.Event()
        self._result: Any = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Work, in the worker's thread; what is raised waits for whoever asks."""
        try:
            self._result = self._work()
        except Exception as error:  # the thread must outlive whatever a model throws
            self._error = error
        self._done.set()

    def drop(self) -> None:
        """Give up before beginning."""
        self._error = SupersededError("a newer request came first")
        self._done.set()

    @property
    def finished(self) -> bool:
        """Whether there is a result or an error."""
        return self._done.is_set()

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait for the result, or raise what the work raised.

        Raises:
            TimeoutError: it is not there yet.
        """
        if not self._done.wait(timeout_s):
            raise TimeoutError(f"no result within {timeout_s} s")
        if self._error is not None:
            raise self._error
        return self._result


class Mailbox:
    """Holds at most one waiting job; a newer one replaces it and the old one counts as dropped.

    Args:
        name: of the thread, for debuggers.
    """

    def __init__(self, name: str) -> None:
        self.dropped = 0
        self._changed = threading.Condition()
        self._waiting: Job | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def put(self, work: Callable[[], Any]) -> Job:
        """Leave a job for the worker; returns at once."""
        job = Job(work)
        with self._changed:
            if self._waiting is not None:
                self.dropped += 1
                self._waiting.drop()
            self._waiting = job
            if self._closing:
                job.drop()
            self._changed.notify_all()
        return job

    def close(self, timeout_s: float = 5.0) -> None:
        """Drop what waits and end the thread once the present job is done."""
        with self._changed:
            self._closing = True
            if self._waiting is not None:
                self._waiting.drop()
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("%s is still busy after %.1f s", self._thread.name, timeout_s)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closing)
                if self._closing:
                    return
                job, self._waiting = self._waiting, None
            assert job is not None  # waited for above
            job.run()

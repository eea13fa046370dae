"""Keeps processes running: starts them, restarts what dies, ends them all cleanly."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from wm_planner.nodes.process_table import ProcessSpec

_log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
#: A process that ran this long was healthy: its next death starts with the first backoff again.
HEALTHY_S = 20.0
#: How long each signal may take before the next stronger one.
GRACE_S = {signal.SIGINT: 8.0, signal.SIGTERM: 3.0, signal.SIGKILL: 3.0}


class KeptProcess:
    """One process and its history.

    Args:
        spec: what to run.
        log: file for its output; None to share ours.
        environment: of the process.
    """

    def __init__(self, spec: ProcessSpec, log: Path | None, environment: Mapping[str, str]) -> None:
        self.spec, self.restarts = spec, 0
        self._log, self._environment = log, dict(environment)
        self._backoff_s, self._started_at, self._start_at = FIRST_BACKOFF_S, 0.0, 0.0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def age_s(self) -> float:
        """Seconds since the newest start."""
        return time.monotonic() - self._started_at

    def start(self) -> None:
        """Start it; the process leaves our group by itself, so that Ctrl-C only reaches us."""
        output = None if self._log is None else self._log.open("ab")
        try:
            self.process = subprocess.Popen(
                [*self.spec.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                env={**self._environment, "WM_PLANNER_PARENT": str(os.getpid())},
            )
        finally:
            if output is not None:
                output.close()
        self._started_at = time.monotonic()

    def revive(self) -> None:
        """Restart it if it died, once its backoff has passed."""
        if self.running or self.process is None:
            return
        now = time.monotonic()
        if self._start_at == 0.0:
            if now - self._started_at > HEALTHY_S:
                self._backoff_s = FIRST_BACKOFF_S
            self._start_at = now + self._backoff_s
            _log.warning(
                "%s ended with %s; restarting it in %.1f s",
                self.spec.name,
                _how(self.process.returncode),
                self._backoff_s,
            )
            self._backoff_s = min(2 * self._backoff_s, LONGEST_BACKOFF_S)
        elif now >= self._start_at:
            self._start_at, self.restarts = 0.0, self.restarts + 1
            self.start()

    def kill(self) -> None:
        """End it at once, as one that no longer answers."""
        if self.process is not None and self.running:
            self.process.kill()
            self.process.wait(GRACE_S[signal.SIGKILL])


class ProcessKeeper:
    """All processes of a graph.

    Args:
        specs: what to run, in the order of starting.
        log_folder: for their output, one file each; None to share ours.
        environment: of all of them.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        log_folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if log_folder is not None:
            log_folder.mkdir(parents=True, exist_ok=True)
        self.kept = {
            spec.name: KeptProcess(
                spec,
                None if log_folder is None else log_folder / f"{spec.name}.log",
                os.environ if environment is None else environment,
            )
            for spec in specs
        }

    def start(self) -> None:
        """Start all, in order."""
        for kept in self.kept.values():
            kept.start()

    def revive(self) -> None:
        """Restart whatever died; to be called a few times a second."""
        for kept in self.kept.values():
            kept.revive()

    def stop(self) -> None:
        """End all, last started first; ask politely, then less so."""
        waiting = [kept for kept in reversed(self.kept.values()) if kept.running]
        for kind, grace_s in GRACE_S.items():
            for kept in waiting:
                if kept.process is not None and kept.running:
                    kept.process.send_signal(kind)
            deadline = time.monotonic() + grace_s
            while any(kept.running for kept in waiting) and time.monotonic() < deadline:
                time.sleep(0.02)
            waiting = [kept for kept in waiting if kept.running]
            if not waiting:
                return
            names = ", ".join(kept.spec.name for kept in waiting)
            _log.warning("%s did not end on %s within %.0f s", names, kind.name, grace_s)


def _how(returncode: int) -> str:
    return f"signal {signal.Signals(-returncode).name}" if returncode < 0 else f"code {returncode}"

"""How the demo shows that it is alive: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

PLAIN_PERIOD_S = 2.0


class DemoProgress:
    """A progress bar over the task's time limit, with stage, plans and value.

    Args:
        timeout_s: the time limit.
    """

    def __init__(self, timeout_s: float) -> None:
        self._console = Console()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("{task.fields[news]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=timeout_s, news="")
        self._told_s = 0.0

    def __enter__(self) -> DemoProgress:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last line as it is."""
        self._bar.stop()

    def say(self, what: str) -> None:
        """Say what is being done now."""
        self._bar.update(self._task, description=what)
        if not self._console.is_terminal:
            self._console.print(what)

    def feedback(self, message: Any) -> None:
        """Show the planner's feedback (ExecuteTask.Feedback)."""
        value = "" if math.isnan(message.value) else f", value {message.value:.2f}"
        rejected = f", rejected {message.rejected_by_reason}" if message.rejected_by_reason else ""
        several = f"goal {message.goal + 1} of {message.goals}, " if message.goals > 1 else ""
        news = f"{several}{message.stage}, plan {message.plan_id}{value}{rejected}"
        self._bar.update(self._task, completed=message.elapsed_s, news=news)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._told_s >= PLAIN_PERIOD_S:
            self._told_s = now
            self._console.print(f"{message.elapsed_s:5.1f} s  {news}")

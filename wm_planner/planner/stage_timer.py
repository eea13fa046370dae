"""How long each stage of a plan took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StageTimer:
    """Adds up time by stage.

    Attributes:
        seconds: by stage, in the order they were first entered.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with nothing; `clock` returns seconds from any origin."""
        self.seconds: dict[str, float] = {}
        self._clock = clock

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done inside a `with`."""
        start = self._clock()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + self._clock() - start

"""An evaluation as a JSON file: written after every episode, so that nothing is lost; resumable."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from wm_planner.closed_loop.episode_result import EpisodeResult
from wm_planner.closed_loop.summary import summarise
from wm_planner.errors import DataError
from wm_planner.rigs.disturbance import Disturbed

VERSION = 1


@dataclasses.dataclass
class ResultsFile:
    """What was asked for, and the episodes that are done.

    Attributes:
        path: where it is written; None for nowhere.
        question: what was asked for; only results of the same question are resumed.
        requested: episodes that were asked for.
        results: by seed.
    """

    path: Path | None
    question: dict[str, Any]
    requested: int
    results: dict[int, EpisodeResult] = dataclasses.field(default_factory=dict)

    def resume(self) -> None:
        """Take over the episodes of a file that answers the same question."""
        if self.path is None or not self.path.exists():
            return
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            found = [_read(result) for result in data["results"]]
            # What a file of before a key existed did not ask for was asked for by nobody.
            asked = {key: data.get(key) for key in self.question}
            other = {key: asked[key] for key in asked if asked[key] != self.question[key]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path}: cannot be resumed: {error!r}") from error
        for key, value in other.items():
            expected = self.question[key]
            raise DataError(
                f"{self.path}: cannot be resumed: {key} is {value!r} there, {expected!r} here"
            )
        self.results = {result.seed: result for result in found}

    def add(self, result: EpisodeResult) -> None:
        """Take one more episode, and write."""
        self.results[result.seed] = result
        self.write()

    def contents(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        results = [self.results[seed] for seed in sorted(self.results)]
        return {
            "version": VERSION,
            **self.question,
            **summarise(results),
            "requested": self.requested,
            "complete": len(results) >= self.requested,
            "results": [dataclasses.asdict(result) for result in results],
        }

    def write(self) -> None:
        """Write under another name, then rename."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.partial")
        partial.write_text(json.dumps(self.contents(), indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self.path)


def _read(result: dict[str, Any]) -> EpisodeResult:
    disturbed = result.get("disturbed")
    return EpisodeResult(**{**result, "disturbed": Disturbed(**disturbed) if disturbed else None})

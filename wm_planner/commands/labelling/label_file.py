"""The file of labels: one JSON object a line, on disk before the next question is asked."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_planner.commands.labelling.futures import Future, read_reference
from wm_planner.datasets.atomic_file import renamed
from wm_planner.errors import DataError

PERSON, OUTCOME = "person", "outcome"


@dataclass
class LabelFile:
    """What was answered, in order.

    A line has `instruction`, `by`, `unix_time`, and either `better` and `worse` or `skipped`, two
    references to futures, whose `run` is relative to the file's folder.

    Attributes:
        path: of the file; it is made with the first answer.
        lines: its lines.
    """

    path: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read what is there; a last line that a crash cut off is dropped."""
        if not self.path.exists():
            return
        texts = self.path.read_text(encoding="utf-8").split("\n")
        for number, text in enumerate(texts, 1):
            if not text.strip():
                continue
            try:
                line = json.loads(text)
            except ValueError as error:
                if number == len(texts):
                    self._rewrite()
                    return
                raise DataError(f"{self.path}, line {number}: is not JSON: {error}") from error
            for side in _sides(line, f"{self.path}, line {number}"):
                read_reference(side, f"{self.path}, line {number}")
            self.lines.append(line)
        if texts[-1].strip():  # whole, but for the end of its line
            self._rewrite()

    def add(self, better: Future, worse: Future, by: str) -> None:
        """Note which of two is better."""
        folder = self.path.parent
        sides = {"better": better.reference(folder), "worse": worse.reference(folder)}
        self._append(sides, better.instruction, by)

    def skip(self, left: Future, right: Future) -> None:
        """Note that nobody could tell; they are not asked about again."""
        folder = self.path.parent
        sides = [left.reference(folder), right.reference(folder)]
        self._append({"skipped": sides}, left.instruction, PERSON)

    def undo(self) -> None:
        """Take the last line back."""
        if self.lines:
            last = self.lines.pop()
            try:
                self._rewrite()
            except OSError:
                self.lines.append(last)
                raise

    def known(self) -> set[frozenset[str]]:
        """Return the pairs that were answered or skipped, as keys of `key`."""
        return {
            frozenset(json.dumps(side, sort_keys=True) for side in _sides(line, ""))
            for line in self.lines
        }

    def key(self, left: Future, right: Future) -> frozenset[str]:
        """Return what `known` has for two futures, in either order."""
        folder = self.path.parent
        return frozenset(
            json.dumps(side.reference(folder), sort_keys=True) for side in (left, right)
        )

    def _append(self, sides: dict[str, Any], instruction: str, by: str) -> None:
        line = {"instruction": instruction, **sides, "by": by, "unix_time": round(time.time())}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = (json.dumps(line) + "\n").encode()
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)  # half a line would spoil the next one
                raise
        self.lines.append(line)

    def _rewrite(self) -> None:
        with renamed(self.path) as partial:
            partial.write_text("".join(json.dumps(line) + "\n" for line in self.lines), "utf-8")


def _sides(line: Any, where: str) -> tuple[Any, Any]:
    if isinstance(line, dict) and "better" in line and "worse" in line:
        return line["better"], line["worse"]
    if isinstance(line, dict) and isinstance(line.get("skipped"), list):
        left, right = line["skipped"]
        return left, right
    raise DataError(f"{where}: has neither better and worse nor skipped: {line!r}")

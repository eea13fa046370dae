"""Asking a person: the current pair, the answer to it, and one step back."""

from __future__ import annotations

from collections.abc import Sequence

from wm_planner.commands.labelling.futures import Future
from wm_planner.commands.labelling.label_file import PERSON, LabelFile
from wm_planner.commands.labelling.proposals import Pair
from wm_planner.errors import DataError

CHOICES = ("left", "right", "skip", "undo")


class Session:
    """Goes through pairs and writes every answer at once.

    Args:
        pairs: to ask about; those that the file knows already are left out.
        file: where answers go.
    """

    def __init__(self, pairs: Sequence[Pair], file: LabelFile) -> None:
        known = file.known()
        self._pairs = [pair for pair in pairs if file.key(*pair) not in known]
        self._file, self.number = file, 0

    def __len__(self) -> int:
        """Pairs in all."""
        return len(self._pairs)

    @property
    def pair(self) -> Pair | None:
        """Left and right of the current one; None when all are answered."""
        return self._pairs[self.number] if self.number < len(self) else None

    def answer(self, number: int, choice: str) -> None:
        """Take an answer.

        Args:
            number: of the pair that was shown: an answer to another one, of a page that was not
                reloaded, is ignored.
            choice: one of `CHOICES`; undo goes back to this session's previous pair.
        """
        if choice not in CHOICES:
            raise DataError(f"answer: got {choice!r}, expected one of {', '.join(CHOICES)}")
        if number != self.number:
            return
        if choice == "undo":
            if self.number:
                self._file.undo()
                self.number -= 1
            return
        if self.pair is None:
            return
        left, right = self.pair
        if choice == "skip":
            self._file.skip(left, right)
        else:
            better, worse = (left, right) if choice == "left" else (right, left)
            self._file.add(better, worse, PERSON)
        self.number += 1

    def side(self, name: str) -> Future | None:
        """Return the future that is shown "left" or "right"."""
        return self.pair[name == "right"] if self.pair else None

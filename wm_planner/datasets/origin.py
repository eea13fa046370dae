"""Where imported episodes come from, and under which licence: it goes with data and models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

ORIGIN_PATH = "meta/origin.json"


@dataclass(frozen=True)
class Origin:
    """Somebody else's recordings.

    Attributes:
        source: where they were published.
        licence: its name.
        episodes: what the recordings are called there.
        phases: how many episodes were made of each, a picture apart from each other.
    """

    source: str
    licence: str
    episodes: tuple[str, ...]
    phases: int

    @property
    def sentence(self) -> str:
        """What cards say."""
        return (
            f"Recorded elsewhere: {self.source}, licence {self.licence}; "
            f"of it {', '.join(self.episodes)}, each {self.phases} times, a picture apart"
        )


def read_origin(root: Path) -> Origin | None:
    """Return the origin of a dataset; None where it was recorded here."""
    path = root / ORIGIN_PATH
    if not path.exists():
        return None
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Origin(**{**fields, "episodes": tuple(map(str, fields["episodes"]))})

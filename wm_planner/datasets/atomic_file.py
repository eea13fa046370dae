"""Files that are either whole or not there: written under another name, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PARTIAL = ".partial"


@contextlib.contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """Yields another name beside `path` to write to; it becomes `path` when all went well.

    Folders on the way are made. Of several processes writing the same path, the last one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}{_PARTIAL}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(root: Path) -> None:
    """Removes what killed writers left below a folder; a writer still at work there would fail."""
    for path in list(root.rglob(f"*{_PARTIAL}")):
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Writes standard JSON: a NaN is an error."""
    text = json.dumps(content, indent=4, allow_nan=False)
    with renamed(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")

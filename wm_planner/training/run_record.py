"""What a training run's `run.json` says: what is trained on what, where, and how long it took."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_planner.errors import ConfigurationError
from wm_planner.settings import from_mapping
from wm_planner.training.training_settings import TrainingSettings

FILE = "run.json"


def begin_or_compare(folder: Path, facts: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Write down what is being trained, or refuse a folder of another run.

    Args:
        folder: of the run.
        facts: what has to be the same whenever the run goes on.
        more: what is written when it begins, and not compared.
    """
    path = folder / FILE
    if not path.exists():
        began = {"commit": _commit(), "started": time.time()}
        _write_json(path, {**facts, **began, **more})
        return
    old = json.loads(path.read_text())
    # A run from before a setting existed was made with its default.
    old["settings"] = of_the_run(TrainingSettings()) | old["settings"]
    # Through JSON, which knows no tuples.
    old, new = json.loads(json.dumps([old, facts]))
    for key, value in new.items():
        if old[key] != value:
            raise ConfigurationError(
                f"{path}: {key} differs from this run's{_differences(old[key], value)}; continue "
                "with the same data and configuration, or choose a new --out folder"
            )


def settings_of(folder: Path) -> TrainingSettings | None:
    """Return what a run was begun with, None where there is none; what was free is as usual."""
    path = folder / FILE
    if not path.exists():
        return None
    return from_mapping(TrainingSettings, json.loads(path.read_text())["settings"])


def note(folder: Path, what: str, stage: str, facts: Any) -> None:
    """Add something about a stage."""
    record = json.loads((folder / FILE).read_text())
    record.setdefault(what, {})[stage] = facts
    _write_json(folder / FILE, record)


def of_the_run(settings: TrainingSettings) -> dict[str, Any]:
    """All settings but those that weights do not depend on, but for rounding."""
    values = dataclasses.asdict(settings)
    free = ("threads", "compile", "device", "sharded", "samples_every")
    return {name: value for name, value in values.items() if name not in free}


def _differences(old: Any, new: Any) -> str:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return ""
    names = [name for name in new if old.get(name) != new[name]]
    return " (" + ", ".join(f"{name}: {old.get(name)}, now {new[name]}" for name in names) + ")"


def _write_json(path: Path, facts: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(facts, indent=2) + "\n")
    os.replace(partial, path)


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()

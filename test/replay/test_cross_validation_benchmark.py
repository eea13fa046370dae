"""The cross-validation: no recording is planned on by models that learned from it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "cross_validation.py"
PARTS = {"part_1": ["2", "8"], "part_2": ["4"], "part_3": ["7", "12", "16"]}


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """What the script asks `wm-planner` for; of its results only what the script reads is there."""
    asked: list[list[str]] = []

    def do(*words, done: Path) -> None:
        asked.append([str(word) for word in words])
        if words[0] == "export-bag":
            for number in range(2):
                (done / f"episode_{number}").mkdir(parents=True)
        if words[0] == "replay":
            done.parent.mkdir()
            planned = 0.01 * int(done.parent.parent.name[-1])
            done.write_text(json.dumps({"bags": [_bag(planned), _bag(planned)]}))

    always = ["--always", "1", "10"]
    parts = [word for numbers in PARTS.values() for word in ("--part", *numbers)]
    words = ["--recordings", "g1", "--out", str(tmp_path), *parts, *always]
    script = runpy.run_path(str(SCRIPT))
    script["main"].__globals__["do"] = do
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    script["main"]()
    return asked


def _bag(planned: float) -> dict:
    """One plan, both hands this far off (m); standing still 0.05, going on as before 0.04."""
    told = {"": planned, "_standing": 0.05, "_copying": 0.04}
    foresight = {
        f"{against}{name}": (distance, distance)
        for against in ("dtw", "command_dtw")
        for name, distance in told.items()
    }
    return {"bag": "run", "cycles": [{"foresight": foresight}]}


def _after(words: list[str], option: str) -> list[str]:
    rest = words[words.index(option) + 1 :]
    ends = [number for number, word in enumerate(rest) if word.startswith("--")]
    return rest[: ends[0]] if ends else rest


def test_that_no_recording_is_judged_by_models_that_learned_from_it(commands, tmp_path):
    held = {}
    for words in commands:
        if words[0] == "import":
            held[_after(words, "--out")[0]] = set(_after(words, "--episodes"))
    trained = [words for words in commands if words[0] == "train"]
    replayed = [words for words in commands if words[0] == "replay"]
    assert len(trained) == len(replayed) == len(PARTS)
    for train, replay in zip(trained, replayed, strict=True):
        learned = set().union(*(held[folder] for folder in _after(train, "--data")))
        (folder,) = {str(Path(bag).parents[1]) for bag in _after(replay, "replay")}
        judged = held[f"{folder}/single"]
        assert judged in [set(numbers) for numbers in PARTS.values()]
        assert not learned & judged
        assert learned | judged == {"1", "10"}.union(*PARTS.values())
        config = Path(_after(replay, "--config")[0]).read_text()
        assert str(Path(_after(train, "--out")[0]).with_name("models").resolve()) in config


def test_that_the_table_has_every_part_and_all_of_them(commands, tmp_path):
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in (tmp_path / "table.md").read_text().splitlines()[2:]
    ]
    right = {row[0]: row[3:] for row in rows if row[1:3] == ["right", "recorded commands"]}
    assert right["part 1 (2)"] == ["10.0", "50.0", "40.0 (40.0 to 40.0)", "30.0 (30.0 to 30.0)"]
    assert list(right) == ["part 1 (2)", "part 2 (2)", "part 3 (2)", "all (6)"]
    assert right["all (6)"][:2] == ["20.0", "50.0"]
    assert right["all (6)"][2].startswith("30.0 (")

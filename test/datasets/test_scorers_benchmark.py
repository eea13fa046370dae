"""The benchmark of scorers: it judges with every scorer that the bundle has a head for."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from episodes import make_fields
from painted_rig import write_config

from wm_planner.datasets.episode import Episode
from wm_planner.datasets.lerobot_index import begin, finish
from wm_planner.datasets.lerobot_writer import write_shard
from wm_planner.registry import BUILT_IN

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scorers.py"
NEEDING_A_HEAD = {"preference", "instruction"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Successes and failures of one task, every second one each."""
    root = tmp_path / "dataset"
    asked = {"task": "home", "instruction": "go home", "kind": "expert"}
    episodes = [Episode.from_mapping({**make_fields(seed), **asked}) for seed in range(8)]
    begin(root)
    write_shard(root, 0, episodes, fps=5)
    finish(root, "simulated_bimanual", fps=5)
    return root


# Nothing in these pictures is near the goal, so the value is the same of all.
@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_that_every_scorer_is_measured_on_recorded_and_on_dreamed_futures(
    folder, tmp_path, monkeypatch
):
    config, out = write_config(tmp_path), tmp_path / "figures.json"
    words = ["--data", folder, "--config", config, "--every", "1", "--out", out]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    figures = json.loads(out.read_text())
    judged = set(BUILT_IN["scorers"]) - NEEDING_A_HEAD - {"image_goal"}
    for name in ("auroc", "order"):
        assert set(figures[name]) == {
            f"{scorer}, {what}" for scorer in judged for what in ("recorded", "dreamed")
        }
    shares = np.array([found[0] for found in figures["auroc"].values()])
    assert ((shares >= 0.0) & (shares <= 1.0)).all()
    assert len(set(shares)) > 1
    (windows, successes) = figures["windows"]["home"]
    assert 0 < successes < windows

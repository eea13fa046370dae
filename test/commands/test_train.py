"""What `wm-planner train` opens."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the [train] extra")
sys.path.insert(0, str(Path(__file__).parents[1] / "datasets"))
from episodes import make_plan, open_recorder

from wm_planner.cli import EXIT_ERROR, main
from wm_planner.commands.train import open_run
from wm_planner.datasets.collection import collect


def test_a_dataset_that_is_named_twice_counts_twice_and_is_told_once(tmp_path):
    config = Path(__file__).parents[2] / "config" / "training" / "smoke.yaml"
    one, other = tmp_path / "one", tmp_path / "other"
    collect(one, make_plan(3), open_recorder)
    collect(other, make_plan(2, seed=50), open_recorder)
    run = open_run([one, other, other], tmp_path / "run", config, threads=1)
    frames = np.diff(run.source.offsets)
    assert len(frames) == 3 + 2 + 2
    np.testing.assert_array_equal(frames[3:5], frames[5:])
    assert run.data["episodes"] == 5
    assert run.data["frames"] == frames[:5].sum()
    assert run.data["counted"] == "1 times 2 times"
    assert len(run.data["sha256"].split()) == 2


def test_a_run_goes_on_with_the_configuration_it_was_begun_with(tmp_path):
    config = tmp_path / "own.yaml"
    config.write_text("horizon: 9\nwithout_kinds: [play]\nlearning_rate: 0.001\nthreads: 1\n")
    collect(tmp_path / "data", make_plan(2), open_recorder)
    begun = open_run([tmp_path / "data"], tmp_path / "run", config)
    config.unlink()
    again = open_run([tmp_path / "data"], tmp_path / "run")
    assert again.settings == begun.settings
    assert again.settings.horizon == 9 and again.settings.without_kinds == ("play",)
    other = open_run([tmp_path / "data"], tmp_path / "other")
    assert other.settings.horizon != 9


def test_a_folder_without_a_run_cannot_be_exported(tmp_path, capsys):
    command = ["export", "--data", "data", "--run", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == EXIT_ERROR
    assert "no training run there (run.json)" in capsys.readouterr().err

"""The command line of the replay: what it leaves, what it finds, and its exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from painted_rig import write_config
from simple_bags import write_bag

from wm_planner.cli import main
from wm_planner.commands.replay import telling_name


def with_velocity_limit(folder: Path, config: Path, fraction: float) -> Path:
    """Return the same configuration with joints that may use this fraction of their limit."""
    text = config.read_text()
    limited = text.replace("kinematic: {}", f"kinematic: {{velocity_fraction: {fraction}}}")
    assert limited != text
    for name in ("world_model", "inverse_dynamics"):
        limited = limited.replace(f"bundle: {name}", f"bundle: {config.parent / name}")
    folder.mkdir()
    (folder / "planner.yaml").write_text(limited)
    return folder / "planner.yaml"


def test_a_halved_velocity_limit_is_found_as_flips_of_that_reason(tmp_path, capsys):
    (tmp_path / "models").mkdir()
    config = write_config(tmp_path / "models", text="planner: {candidates: 3, execute_steps: 2}\n")
    bag, out = write_bag(tmp_path / "bag"), tmp_path / "out"
    words = ["replay", str(bag), "--instruction", "lift both hands", "--out"]
    twice = ["replay", str(bag), *words[1:]]
    assert main([*twice, str(out / "first"), "--config", str(config)]) == 0
    report = json.loads((out / "first" / "report.json").read_text())
    result, again = report["bags"]
    assert result["output_hash"] == again["output_hash"]
    distances = [c["foresight"]["dtw"][1] for c in result["cycles"] if "foresight" in c]
    assert report["paths"]["right"]["planned"] == pytest.approx(np.mean(distances))
    both = (out / "first" / "report.html").read_text()
    assert "over all bags" in both and ">None<" not in both
    assert all(f'href="#bag{i}"' in both and f'id="bag{i}"' in both for i in range(2))
    fastest = max(
        measured
        for cycle in result["cycles"]
        for verdict in cycle["verdicts"]
        if verdict["reason"] == "JOINT_VELOCITY"
        for measured in verdict["measured"]
    )
    whole = str(with_velocity_limit(tmp_path / "whole", config, fastest * 1.05))
    halved = str(with_velocity_limit(tmp_path / "halved", config, fastest * 1.05 / 2))
    words = [*words, str(out / "second")]
    capsys.readouterr()
    assert main([*words, "--config", halved, "--against", whole]) == 1
    said = capsys.readouterr()
    assert "candidates for JOINT_VELOCITY" in said.out
    assert said.err.splitlines() == [f"{n} of 2: replayed 0000-bag" for n in (1, 2)]
    report = json.loads((out / "second" / "report.json").read_text())
    found, made, before = report["comparison"], report["made_with"], report["against"]["made_with"]
    assert (made["configuration"], before["configuration"]) == (halved, whole)
    assert made["world_model"] == before["world_model"] != made["inverse_dynamics"]
    assert set(found["flips"]["rejected"]) == {"JOINT_VELOCITY"}
    assert not found["flips"]["accepted"]
    assert found["first_divergence"]["seconds"] == 0.0
    assert found["metrics"]["candidates accepted, share"]["difference"] < 0.0

    page = (out / "second" / "report.html").read_text()
    assert "Open loop" in page and "now rejected" in page
    assert "over all bags" not in page and 'href="#bag' not in page  # there is but one
    assert 'src="http' not in page

    shutil.rmtree(out / "second" / "bags")
    assert main([*words, "--config", whole, "--against", whole]) == 0
    assert "no difference" in capsys.readouterr().out
    assert "No candidate changed sides." in (out / "second" / "report.html").read_text()


def test_bags_are_told_apart_by_as_many_folders_as_that_takes(tmp_path):
    paths = [tmp_path / name for name in ("monday/run/bag", "tuesday/run/bag", "once", "once")]
    told = [telling_name(path, paths) for path in paths]
    assert told == ["monday/run/bag", "tuesday/run/bag", "once", "once"]
    assert telling_name(paths[0], paths[:1]) == "bag"


def test_what_no_bag_can_be_replayed_with_is_told_before_anything_is(tmp_path, capsys):
    config = write_config(tmp_path)
    words = ["replay", str(write_bag(tmp_path / "bag")), "--out", str(tmp_path / "out")]
    assert main([*words, "--config", str(config), "--rig", "unitree_g1_inspire"]) == 2
    assert "the rig is 'unitree_g1_inspire'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    # Without words for what was to be done, nothing is; and there is no hash of nothing.
    assert main([*words, "--config", str(config)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "give --instruction" in said[0] and said[1].startswith("nothing was replayed: ")

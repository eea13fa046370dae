"""The command `wm-planner evaluate-models`, on episodes that the real recorder made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_tiny_bundles

from wm_planner import cli
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "simulated_bimanual"
PICTURES = {
    "pictures_by_frame.png", "cross_swap.png", "calibration.png", "strips.png",
    "object_errors.png",
}  # fmt: skip


def collect(folder: Path, *more: str) -> Path:
    arguments = ["collect", "--out", str(folder), "--seed", "900000", *more]
    assert cli.main(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    mix = ["expert=6", "play=2", "stills=3", "near_miss=2"]
    folder = tmp_path_factory.mktemp("held_out")
    tasks = ["reach", "pick_lift", "tray_lift"]
    return collect(folder, "--episodes", "24", "--kinds", *mix, "--tasks", *tasks)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A copy of the shipped ones, whose cards may be written."""
    return shutil.copytree(SHIPPED, tmp_path_factory.mktemp("models") / "copy")


def evaluate(data: Path, bundles: Path, out: Path, *more: str) -> int:
    return cli.main([
        "evaluate-models", "--data", str(data), "--out", str(out), "--windows", "6",
        "--world-model", str(bundles / "world_model"),
        "--inverse-dynamics", str(bundles / "inverse_dynamics"), *more,
    ])  # fmt: skip


@pytest.fixture(scope="module")
def report(data, bundles, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    assert evaluate(data, bundles, out, "--write-card") == 0
    return out


@pytest.mark.slow
def test_every_family_of_figures_is_in_the_report(report):
    assert {path.name for path in report.iterdir()} == PICTURES | {"figures.json", "figures.md"}
    contents = json.loads((report / "figures.json").read_text())
    figures = contents["figures"]
    assert set(figures) == {
        "Pictures", "Steering", "Diversity of free dreams", "Commands read off frames",
        "Paths of the hands", "Stated certainty", "Objects, read from latents by a probe",
    }  # fmt: skip
    for family in figures.values():
        for name, figure in family.items():
            assert figure["baselines"], name
            assert figure["count"] > 0 and figure["value"] is not None, name
    assert contents["question"]["data"].startswith("24 episodes")
    table = (report / "figures.md").read_text()
    assert all(f"| **{family}** |" in table for family in figures)
    for hand, found in contents["margins"].items():
        assert f"path of the {hand} hand" in table
        for name, nearer in found["nearer"].items():
            difference = found["mean"][name] - found["mean"]["free dreams"]
            assert nearer["margin"] == pytest.approx(difference)
            assert nearer["interval"][0] <= nearer["margin"] <= nearer["interval"][1]
    for path in PICTURES:
        assert (report / path).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_shipped_models_are_better_than_their_baselines(report):
    figures = json.loads((report / "figures.json").read_text())["figures"]
    for name in ("PSNR of moving pixels, reconstruction", "PSNR of moving pixels, actions given"):
        figure = figures["Pictures"][name]
        assert figure["value"] > max(figure["baselines"].values()) + 1, name
    assert figures["Steering"]["action-shuffle ratio"]["value"] > 1.5
    for hand in ("left", "right"):
        figure = figures["Commands read off frames"][f"real task frames, {hand} position"]
        assert figure["value"] < 0.5 * figure["baselines"]["standing still"]
    near = figures["Objects, read from latents by a probe"]["cube, near miss, real, median"]
    assert near["value"] < near["baselines"]["mean position"]


@pytest.mark.slow
def test_both_cards_hold_the_table_and_the_bundles_are_whole(report, bundles):
    table = (report / "figures.md").read_text().strip()
    figures = json.loads((report / "figures.json").read_text())["figures"]
    for kind in (WORLD_MODEL, INVERSE_DYNAMICS):
        bundle = load_bundle(bundles / kind, kind)
        assert bundle.bundle_hash == load_bundle(SHIPPED / kind, kind).bundle_hash
        assert table in (bundles / kind / "README.md").read_text()
        assert bundle.manifest.evaluation["figures"] == figures


@pytest.mark.slow
def test_the_same_question_gives_the_same_figures(report, data, bundles, tmp_path):
    assert evaluate(data, bundles, tmp_path) == 0
    for name in ("figures.json", "figures.md", "cross_swap.png", "strips.png"):
        assert (tmp_path / name).read_bytes() == (report / name).read_bytes(), name


@pytest.mark.slow
def test_models_for_another_camera_are_refused(data, tmp_path, capsys):
    write_tiny_bundles(tmp_path / "tiny", np.zeros((2, 20)), rig="another_rig")
    assert evaluate(data, tmp_path / "tiny", tmp_path / "out") == cli.EXIT_ERROR
    error = capsys.readouterr().err
    assert "rig: world model is for 'another_rig', the rig is 'simulated_bimanual'" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_probes_are_not_fitted_on_what_is_measured(data, bundles, tmp_path, capsys):
    code = evaluate(data, bundles, tmp_path, "--probe-data", str(data))
    assert code == cli.EXIT_ERROR
    assert "hold episodes of the same seeds" in capsys.readouterr().err


def test_that_a_missing_dataset_is_one_line(tmp_path, capsys):
    assert evaluate(tmp_path / "none", SHIPPED, tmp_path / "out") == cli.EXIT_ERROR
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "is not a finished dataset" in error


def test_that_too_few_windows_are_refused(tmp_path, capsys):
    assert evaluate(tmp_path, SHIPPED, tmp_path, "--windows", "1") == cli.EXIT_ERROR
    assert "windows" in capsys.readouterr().err


def test_that_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    from wm_planner.datasets import lerobot_reader

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(lerobot_reader, "LeRobotDataset", interrupted)
    assert evaluate(tmp_path, SHIPPED, tmp_path / "out") == cli.EXIT_INTERRUPTED
    assert not (tmp_path / "out").exists()

"""The commands of docs/train_models.md one after the other, with two steps a stage."""

from __future__ import annotations

import json

import pytest
import yaml

pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.bundle import WORLD_MODEL, load_bundle
from wm_planner.cli import main
from wm_planner.share_folder import share_folder


@pytest.mark.slow
def test_models_of_16_frames_are_collected_for_trained_exported_checked_and_measured(tmp_path):
    smoke = yaml.safe_load((share_folder() / "config" / "training" / "smoke.yaml").read_text())
    steps = {name: 2 for name in smoke if name.endswith("_steps")}
    config = tmp_path / "smoke.yaml"
    config.write_text(yaml.safe_dump({**smoke, **steps, "context_frames": 2, "horizon": 14}))
    data, held_out = str(tmp_path / "data"), str(tmp_path / "held_out")
    run, models = tmp_path / "run", tmp_path / "models"
    pair = ["--world-model", str(models / "world_model"),
            "--inverse-dynamics", str(models / "inverse_dynamics")]  # fmt: skip
    commands = [
        ["collect", "--out", data, "--episodes", "3", "--kinds", "expert", "--tasks", "reach"],
        ["collect", "--out", held_out, "--episodes", "2", "--seed", "900000", "--kinds", "expert"],
        ["train", "--data", data, "--out", str(run), "--config", str(config)],
        ["export", "--data", data, "--run", str(run), "--out", str(models)],
        ["check", *pair],
        ["evaluate-models", "--data", held_out, "--windows", "2", "--out", str(tmp_path), *pair],
    ]
    for command in commands:
        assert main(command) == 0, command
    manifest = load_bundle(models / "world_model", WORLD_MODEL).manifest
    assert (manifest.context_frames, manifest.horizon) == (2, 14)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert "PSNR, actions given" in json.dumps(figures)
    for stage in ("autoencoder", "inverse_dynamics", "denoiser", "value"):
        assert (run / stage / "model.pt").exists() and any((run / stage / "tensorboard").iterdir())
    assert any((run / "samples").glob("*.mp4"))

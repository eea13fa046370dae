"""`wm-planner check`: everything fits, or the row that says what does not."""

from __future__ import annotations

import pytest
import yaml
from painted_rig import write_config

from wm_planner import cli


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path)


def test_that_what_belongs_together_is_ok(config, capsys):
    assert cli.main(["check", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    names = [line.split()[1] for line in out.splitlines()]
    assert names == [
        *("rig", "robot", "world_model", "inverse_dynamics", "pairing", "graphs", "one")
    ]
    assert "FAIL" not in out
    assert "ms in" in out


def test_that_damage_and_misfits_are_rows(config, tmp_path, capsys):
    manifest = tmp_path / "inverse_dynamics" / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"dt_s": 0.2', '"dt_s": 0.1'))
    assert cli.main(["check", "--config", str(config)]) == 1
    assert "FAIL  pairing" in capsys.readouterr().out
    (tmp_path / "world_model" / "value.onnx").write_bytes(b"")
    assert cli.main(["check", "--config", str(config)]) == 1
    out = capsys.readouterr().out
    assert "FAIL  world_model" in out
    assert "ok    inverse_dynamics" in out


def test_that_an_unknown_rig_is_a_row(config, capsys):
    values = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**values, "rig": "nowhere"}))
    assert cli.main(["check", "--config", str(config)]) == 1
    assert "FAIL  rig  Unknown rig 'nowhere'" in capsys.readouterr().out

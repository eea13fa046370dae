"""`wm-planner view` makes a reference of a dataset and compares pictures with one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wm_planner.cli import main
from wm_planner.rigs.mujoco_rig import MujocoRig


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view") / "data"
    assert main(["collect", "--out", str(folder), "--episodes", "3", "--tasks", "pick_lift"]) == 0
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, rig = tmp_path_factory.mktemp("pictures"), MujocoRig()
    rig.reset("pick_lift", 900000)
    Image.fromarray(rig.observe().images["head"]).save(folder / "usual.png")
    rig.appearance.turn_camera("head", np.array([0.03, 0, 0]))
    rig.forward()
    Image.fromarray(rig.observe().images["head"]).save(folder / "knocked.png")
    rig.close()
    Image.fromarray(np.zeros((192, 256, 3), np.uint8)).save(folder / "covered.png")
    return folder


def test_that_a_reference_is_made_of_a_dataset(data, tmp_path, capsys):
    out = tmp_path / "made" / "head.png"
    assert main(["view", "--data", str(data), "--out", str(out), "--frames", "20"]) == 0
    assert "96x128 px, of 20 frames" in capsys.readouterr().out
    assert np.asarray(Image.open(out)).shape == (96, 128, 3)


def test_that_pictures_are_compared(pictures, capsys):
    assert main(["view", str(pictures / "usual.png"), str(pictures / "knocked.png")]) == 0
    usual, knocked = capsys.readouterr().out.splitlines()
    assert "usual.png: as the models know it" in usual
    assert "the camera has turned by 1.7 degrees" in knocked
    assert main(["view", str(pictures / "covered.png")]) == 1
    assert "the view is not the models'" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [[], ["--data", "x"], ["a.png", "--data", "x", "--out", "y"]])
def test_that_it_is_told_what_to_give(wrong, capsys):
    assert main(["view", *wrong]) == 2
    assert "give --data and --out, or pictures" in capsys.readouterr().err


def test_that_what_is_no_picture_is_an_error(tmp_path, capsys):
    (tmp_path / "a.png").write_text("no")
    assert main(["view", str(tmp_path / "a.png")]) == 2
    assert "cannot be read as a picture" in capsys.readouterr().err

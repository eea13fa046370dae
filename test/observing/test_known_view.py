"""A knocked camera and another lamp are made up for; what cannot be told is left alone."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from wm_planner.assembly import load_bundles, load_config, open_world_model
from wm_planner.bundle import WORLD_MODEL
from wm_planner.errors import ConfigurationError, ShapeError
from wm_planner.observation_history import ObservationHistory
from wm_planner.observing.known_view import KnownView, ViewSettings, open_view
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.robot.rig_description import load_rig
from wm_planner.types import HandPoses, Observation

CONFIG = load_config()
INTO_OPTICAL = np.array([1, -1, -1])  # MuJoCo's cameras look along -z, with y up
DEGREE = np.pi / 180


@pytest.fixture(scope="module")
def rig():
    rig = MujocoRig()
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def view(rig):
    return open_view(CONFIG.view, rig.description, "head")


def seen(rig, task="pick_lift", seed=0, reaching=0.0, turn=(0, 0, 0), dim=0.0) -> np.ndarray:
    rig.reset(task, 900000 + seed)
    posture = np.tile([0.3, -0.4, 0.3, 0.2, 0.4, 0.2], 2) * reaching
    rig.put_joints(rig.description.home + posture, np.full(2, 0.05))
    rig.appearance.turn_camera("head", np.array(turn, float))
    rig.appearance.dim(dim)
    rig.forward()
    return rig.observe().images["head"]


def copy_rig(rig, folder: Path, text: str = "", by: str = "") -> None:
    for file in Path(rig.description.urdf).parent.glob("simulated_bimanual.*"):
        shutil.copy(file, folder)
    path = folder / "simulated_bimanual.yaml"
    path.write_text(path.read_text().replace(text, by, 1))


def far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("task", ["reach", "pick_lift", "tray_lift", "handover", "towel_fold"])
@pytest.mark.parametrize("reaching", [0.0, 1.0, -1.0])
def test_that_frames_are_left_alone_where_nothing_has_changed(rig, view, task, reaching):
    frame = seen(rig, task, 1, reaching)
    assert view.corrected(frame) is frame
    assert view.recognized
    assert str(view) == ""
    assert view.newest.turn_rad < 0.25 * DEGREE


@pytest.mark.parametrize("turn", [(2, 0, 0), (0, -2, 0), (1.5, 1.5, 0.5), (0, 0, 2), (-3, 1, 0)])
@pytest.mark.parametrize("dim", [0.0, 0.3])
def test_that_a_turn_is_found_and_undone(rig, view, turn, dim):
    turn = np.array(turn) * DEGREE
    before = seen(rig, "tray_lift", 2, 0.5, dim=dim)
    frame = seen(rig, "tray_lift", 2, 0.5, turn, dim)
    undone, settled = view.corrected(frame), view.newest
    # Things move against the camera's turn.
    wrong = Rotation.from_rotvec(turn * INTO_OPTICAL) * Rotation.from_rotvec(settled.turn)
    assert wrong.magnitude() < 0.35 * DEGREE
    assert f"turned by {np.degrees(np.linalg.norm(turn)):.0f}"[:-1] in str(view)
    assert far(undone, view.corrected(before)) < 0.5 * far(frame, before)


def test_that_another_light_is_made_up_for(rig, view):
    before, frame = seen(rig, seed=3), seen(rig, seed=3, dim=0.3)
    assert far(view.corrected(frame), before) < 0.4 * far(frame, before)
    assert "the light is 8" in str(view)
    assert view.newest.turn_rad < 0.35 * DEGREE


def test_that_models_see_nearly_what_they_would_have_seen(rig, view):
    bundles = load_bundles(CONFIG, rig.description)
    model = open_world_model(CONFIG, bundles[WORLD_MODEL])
    before = seen(rig, "handover", 4, 0.5)
    for change in ({"turn": (0.02, -0.03, 0)}, {"dim": 0.3}):
        frame = seen(rig, "handover", 4, 0.5, **change)
        usual, raw, undone = model.look(np.stack([before, frame, view.corrected(frame)]))
        assert far(undone, usual) < 0.5 * far(raw, usual)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((192, 256, 3), np.uint8),
        np.full((192, 256, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (192, 256, 3), dtype=np.uint8),
    ],
    ids=["black", "white", "noise"],
)
def test_that_what_is_not_the_view_is_left_alone_and_told(view, frame):
    assert view.corrected(frame) is frame
    assert not view.recognized
    assert "the view is not the models'" in str(view)


def test_that_a_turn_beyond_the_limit_is_not_believed(rig, view):
    frame = seen(rig, turn=(0, 12 * DEGREE, 0))
    assert view.corrected(frame) is frame
    assert not view.recognized


def test_that_windows_show_the_known_view_and_each_frame_is_corrected_once(rig, view):
    frame = seen(rig, turn=(0, 2 * DEGREE, 0))
    calls = []

    class Counted(KnownView):
        def __init__(self) -> None:
            self.camera = "head"

        def corrected(self, image: np.ndarray) -> np.ndarray:
            calls.append(image)
            return view.corrected(image)

    history = ObservationHistory(0.2, 2, Counted())
    hands = HandPoses(np.zeros((2, 3)), np.stack([np.eye(3)] * 2), np.zeros(2))
    for step in range(3):
        images = {"head": frame, "wrist": frame}
        observation = Observation(
            step * 200_000_000, images, np.zeros(12), np.zeros(12), np.ones(2)
        )
        history.add(observation, hands)
        window = history.window()
    assert len(calls) == 3
    assert (window.images["wrist"] == frame).all()
    assert (window.images["head"] == view.corrected(frame)).all()
    assert far(window.images["head"][-1], frame) > 5


def test_what_cannot_be_a_view(rig, tmp_path):
    head = rig.description.cameras["head"]
    (tmp_path / "no.png").write_text("no")
    with pytest.raises(ConfigurationError, match=r"cameras\.head\.view: got .*no\.png, expected a"):
        KnownView(CONFIG.view, "head", replace(head, view=tmp_path / "no.png"))
    Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(tmp_path / "square.png")
    with pytest.raises(ShapeError, match="aspect ratio"):
        KnownView(CONFIG.view, "head", replace(head, view=tmp_path / "square.png"))


def test_that_nothing_is_corrected_where_nobody_wants_it(rig):
    view, frame = open_view(CONFIG.view, rig.description, "head"), seen(rig, dim=0.3)
    assert view.corrected(frame) is not frame
    view.settings = ViewSettings(correct=False)
    assert view.corrected(frame) is frame
    assert (view.recognized, str(view)) == (True, "")


def test_that_a_camera_without_a_picture_has_none(rig):
    assert open_view(CONFIG.view, rig.description, "left_wrist") is None


def test_that_a_view_needs_a_calibration(rig, tmp_path):
    copy_rig(rig, tmp_path, "left_wrist:\n", "left_wrist:\n    view: simulated_bimanual.png\n")
    with pytest.raises(ConfigurationError, match="expected a calibration as well"):
        load_rig(tmp_path / "simulated_bimanual.yaml")


def test_that_a_rig_file_without_its_picture_is_warned_of(rig, tmp_path, caplog):
    copy_rig(rig, tmp_path, "view: simulated_bimanual.png", "view: none.png")
    description = load_rig(tmp_path / "simulated_bimanual.yaml")
    assert re.search("head: there is no .*none.png; frames are taken as they come", caplog.text)
    assert open_view(CONFIG.view, description, "head") is None


def test_that_another_view_is_another_rig(rig, tmp_path):
    copy_rig(rig, tmp_path)
    same = load_rig(tmp_path / "simulated_bimanual.yaml")
    Image.fromarray(np.zeros((96, 128, 3), np.uint8)).save(same.cameras["head"].view)
    assert same.content_hash == rig.description.content_hash
    assert load_rig(tmp_path / "simulated_bimanual.yaml").content_hash != same.content_hash

"""How a scene looks, varied at random: light, colours, camera pose, and things that do not matter.

Domain randomisation (Tobin et al. 2017): a model that has only seen one light and one camera pose
knows nothing else. Physics and tasks stay as they are, except that distractors are in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from wm_planner.rigs.simulated_scene import DISTRACTORS, PARKED

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

#: Standard deviations, but for the light, whose strength is drawn evenly.
LIGHT = (0.6, 1.3)
COLOUR = 0.08  # of each channel, 0..1
CAMERA_M = 0.01
CAMERA_RAD = 0.012
#: Of a distractor from the centres of other things on the table, m.
CLEARANCE = {"tray": 0.20, "bar": 0.17}
USUAL_CLEARANCE = 0.08
_TABLE = (np.array([-0.36, 0.20]), np.array([0.36, 0.46]))


def vary_appearance(rig: MujocoRig, generator: np.random.Generator) -> None:
    """Change light, colours, cameras and clutter until the rig is reset."""
    rig.appearance.vary(generator)
    _scatter_distractors(rig, generator)
    rig.forward()


def restore_appearance(rig: MujocoRig) -> None:
    """Look as built again, without clutter."""
    rig.appearance.restore()
    for mocap in _distractor_mocaps(rig):
        rig.data.mocap_pos[mocap] = PARKED
    rig.forward()


class Appearance:
    """Remembers how a model looked when it was built."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._arrays = {
            "headlight": model.vis.headlight.diffuse, "ambient": model.vis.headlight.ambient,
            "light": model.light_diffuse, "geom": model.geom_rgba, "material": model.mat_rgba,
            "eye": model.cam_pos, "gaze": model.cam_quat,
        }  # fmt: skip
        self._built = self.look()

    def look(self) -> dict[str, np.ndarray]:
        """Return how it looks now, for `restore`."""
        return {name: array.copy() for name, array in self._arrays.items()}

    def restore(self, look: dict[str, np.ndarray] | None = None) -> None:
        """Look as it did before, or as built."""
        look = look or self._built
        for name, array in self._arrays.items():
            array[:] = look[name]

    def vary(self, generator: np.random.Generator) -> None:
        """Change light, colours and the cameras' poses."""
        arrays, built = self._arrays, self._built
        strength, tint = generator.uniform(*LIGHT), generator.normal(1, 0.04, 3)
        for name in ("headlight", "ambient", "light"):
            arrays[name][:] = np.clip(built[name] * strength * tint, 0, 1)
        for name in ("geom", "material"):
            change = generator.normal(0, COLOUR, (len(built[name]), 3))
            arrays[name][:, :3] = np.clip(built[name][:, :3] + change, 0, 1)
        arrays["eye"][:] = built["eye"] + generator.normal(0, CAMERA_M, built["eye"].shape)
        turns = Rotation.from_rotvec(generator.normal(0, CAMERA_RAD, (len(built["gaze"]), 3)))
        gaze = Rotation.from_quat(built["gaze"], scalar_first=True) * turns
        arrays["gaze"][:] = gaze.as_quat(scalar_first=True)

    def dim(self, share: float) -> None:
        """Take away a share of all light."""
        for name in ("headlight", "ambient", "light"):
            self._arrays[name][:] *= 1 - share

    def turn_camera(self, camera: str, turn: np.ndarray) -> None:
        """Turn a camera about an axis of its own frame: rotation vector, shape (3,), rad."""
        gaze = self._arrays["gaze"][self._model.camera(camera).id]
        turned = Rotation.from_quat(gaze, scalar_first=True) * Rotation.from_rotvec(turn)
        gaze[:] = turned.as_quat(scalar_first=True)


def _distractor_mocaps(rig: MujocoRig) -> list[int]:
    """Mocap numbers of the scene's distractors; a towel's scene has none."""
    names = DISTRACTORS if rig.task.scene == "tabletop" else ()
    return [int(rig.model.body(name).mocapid[0]) for name in names]


def _scatter_distractors(rig: MujocoRig, generator: np.random.Generator) -> None:
    """Put up to all distractors of the scene where nothing else stands, in any colour and size."""
    taken = [
        (rig.object_position(name)[:2], CLEARANCE.get(name, USUAL_CLEARANCE))
        for name in rig.tracked
    ]
    for name, mocap in zip(DISTRACTORS, _distractor_mocaps(rig), strict=False):
        geom = int(rig.model.body(name).geomadr[0])
        rig.data.mocap_pos[mocap] = PARKED
        if generator.random() < 0.4:
            continue
        size = generator.uniform(0.012, 0.028, 3)
        for _ in range(20):
            place = generator.uniform(*_TABLE)
            if all(np.linalg.norm(place - other) > clear for other, clear in taken):
                rig.model.geom_size[geom] = size
                rig.model.geom_rgba[geom, :3] = generator.uniform(0, 1, 3)
                yaw = generator.uniform(-np.pi, np.pi)
                rig.data.mocap_pos[mocap] = [*place, size[2]]
                rig.data.mocap_quat[mocap] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
                taken.append((place, USUAL_CLEARANCE))
                break

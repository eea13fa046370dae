"""Cameras of the simulated rig: MuJoCo's pinhole pictures, and fisheye ones made of them."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from wm_planner.errors import RigError
from wm_planner.rigs.fisheye import FisheyeView, Lens, LensSettings


class SimulatedCameras:
    """Renders. Its GL contexts belong to the thread that first renders.

    Args:
        head_lens: of the camera ``head``; all others are pinhole cameras.
    """

    def __init__(self, head_lens: LensSettings) -> None:
        self._head_lens = head_lens
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._fisheyes: dict[Lens, FisheyeView] = {}

    def lens(self, model: mujoco.MjModel, camera: str, height: int, width: int) -> Lens:
        """How a camera of that image size maps directions to pixels.

        Raises:
            RigError: there is no such camera.
        """
        if camera == "head" and self._head_lens.kind == "fisheye":
            return Lens.equidistant(height, width, math.radians(self._head_lens.view))
        try:
            angle = math.radians(float(model.camera(camera).fovy[0]))
        except KeyError as error:
            raise RigError(f"camera: got {camera!r}: {error}") from error
        return Lens.pinhole(height, width, angle)

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, lens: Lens, camera: str
    ) -> np.ndarray:
        """One image of the lens's size, shape (height, width, 3), uint8 RGB."""
        if not lens.fisheye:
            return self._view(model, data, camera, lens.height, lens.width)
        if lens not in self._fisheyes:
            self._fisheyes[lens] = FisheyeView(lens)
        view, angle = self._fisheyes[lens], model.camera(camera).fovy
        pinhole_angle = angle.copy()
        angle[:] = math.degrees(view.vertical_view)
        try:
            wide = self._view(model, data, camera, view.source.height, view.source.width)
            return view.resample(wide)
        finally:
            angle[:] = pinhole_angle

    def close(self) -> None:
        """Give the GL contexts back: also before another model is shown."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _view(
        self, model: mujoco.MjModel, data: mujoco.MjData, camera: str, height: int, width: int
    ) -> np.ndarray:
        size = (height, width)
        if size not in self._renderers:
            self._renderers[size] = mujoco.Renderer(model, *size)
        renderer = self._renderers[size]
        renderer.update_scene(data, camera)
        # update_scene switches shadows back on; they cost 20 times the rest of the frame.
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        return renderer.render().copy()

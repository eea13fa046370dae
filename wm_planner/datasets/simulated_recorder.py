"""Records episodes of the simulated rig's tasks; one recorder per process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wm_planner.datasets.collection import Record
from wm_planner.rigs.disturbance import Disturbance

CAMERA = "head"
_SCENE_RADIUS_M = 1.5  # objects that a scene does not use wait further away than this


def open_simulated_recorder(
    variation: float = 0.0, disturbances: tuple[Disturbance, ...] = ()
) -> Record:
    """Opens the rig, which costs a second and a GL context, and returns what records on it.

    Args:
        variation: share of episodes with another light, colours, camera pose and clutter.
        disturbances: one of these goes wrong, and the expert notices late; none where there are
            none.
    """
    # Here and not above: the command line reads this module's name before it needs the simulator.
    from wm_planner.rigs.collection import record_episode
    from wm_planner.rigs.disturbed_expert import drawn, record_disturbed_expert
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.robot.robot_model import RobotModel

    rig = MujocoRig()
    robot = RobotModel(rig.description)

    def record(task: str, seed: int, kind: str) -> Mapping[str, Any]:
        if disturbances:
            disturbance = drawn(disturbances, seed)
            return camera_and_objects(record_disturbed_expert(rig, robot, task, seed, disturbance))
        return camera_and_objects(record_episode(rig, robot, task, seed, kind, variation))

    return record


def camera_and_objects(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a rig's recording lacks of an `Episode`: camera names, and which objects are there."""
    fields = dict(fields)
    fields["images"] = {CAMERA: fields.pop("image")}
    position = fields["object_position"]
    visible = np.linalg.norm(position, axis=-1) < _SCENE_RADIUS_M
    fields["object_visible"] = visible
    fields["object_position"] = np.where(visible[..., None], position, 0.0)
    return fields

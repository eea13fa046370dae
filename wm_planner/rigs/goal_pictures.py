"""Pictures of a task's goals brought about, such as a person would show: taken of the expert."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wm_planner.errors import RigError
from wm_planner.rigs.performance import STEP_S, EpisodeOver, Performance
from wm_planner.robot.robot_model import RobotModel

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

ATTEMPTS = 5  # scripted experts fumble, too


def goal_pictures(rig: MujocoRig, task: str, seed: int, camera: str) -> tuple[np.ndarray, ...]:
    """Let the expert do the task, and return what a camera sees when each goal is done.

    Args:
        rig: is reset to the task's scene, and left as the expert left it.
        task: name.
        seed: fixes the scene, and with it what the expert does.
        camera: name.

    Raises:
        RigError: it did not succeed, however often.
    """
    robot = RobotModel(rig.description)
    for attempt in range(ATTEMPTS):
        rig.reset(task, seed)
        generator = np.random.default_rng([seed, 3, attempt])
        pictures = _performed(rig, robot, generator, camera)
        if pictures:
            return pictures
    raise RigError(
        f"task {task}, seed {seed}: the expert did not succeed in {ATTEMPTS} attempts, so there is "
        "no picture of the goal"
    )


def _performed(
    rig: MujocoRig, robot: RobotModel, generator: np.random.Generator, camera: str
) -> tuple[np.ndarray, ...]:
    """Return a picture of each part done, none where one was not."""
    steps = int(sum(part.time_limit_s for part in rig.task.parts) / STEP_S)
    performance = Performance(rig, robot, generator, max_steps=steps)
    pictures: list[np.ndarray] = []
    try:
        for part in rig.task.parts:
            part.perform(performance, "")
            if rig.goals_done <= len(pictures):
                return ()
            pictures.append(rig.render(camera))
    except EpisodeOver:
        return ()
    return tuple(pictures)

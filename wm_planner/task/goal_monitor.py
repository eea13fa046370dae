"""Watches the observed frames for the goal: a task is done when the models see that it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.settings import setting
from wm_planner.types import Goal
from wm_planner.world_models.world_model import WorldModel


@dataclass(frozen=True)
class GoalMonitorSettings:
    """When a goal counts as reached."""

    success_value: float = setting(
        0.8, minimum=0.0, maximum=1.0, help="least value of a frame that shows the instruction done"
    )
    success_distance: float = setting(
        0.3,
        minimum=0.0,
        maximum=100.0,
        help="largest latent distance (root mean square) of a frame that shows the goal image",
    )
    success_frames: int = setting(
        4, minimum=1, maximum=1000, help="consecutive frames that must show it"
    )


@dataclass(frozen=True)
class GoalReading:
    """How near the goal one frame is.

    Attributes:
        value: the world model's value for the instruction, 0 to 1; NaN without an instruction.
        distance: latent distance to the goal image; NaN without one.
        frames: consecutive frames, up to this one, that show the goal.
        reached: whether they are enough.
    """

    value: float
    distance: float
    frames: int
    reached: bool

    def __str__(self) -> str:
        """Say it in a few words."""
        known = {"value": self.value, "distance": self.distance}
        said = (f"{name} {number:.3g}" for name, number in known.items() if np.isfinite(number))
        return ", ".join(said) or "neither value nor distance is known"


class GoalMonitor:
    """Judges frame after frame of one task.

    Args:
        world_model: sees and values.
        goal: with an instruction its value decides, without one the distance to the image.
    """

    def __init__(self, world_model: WorldModel, goal: Goal) -> None:
        self._world_model, self._goal, self._frames = world_model, goal, 0
        self._target = None if goal.image is None else world_model.look(goal.image[None])[0]

    def read(self, latent: np.ndarray, settings: GoalMonitorSettings) -> GoalReading:
        """Judge the newest frame, given as the world model sees it."""
        value = distance = float("nan")
        if self._goal.instruction is not None:
            value = float(self._world_model.value(latent[None], self._goal)[0])
        if self._target is not None:
            distance = float(np.sqrt(np.mean((latent - self._target) ** 2)))
        if self._goal.instruction is not None:
            shows = value >= settings.success_value  # NaN shows nothing
        else:
            shows = distance <= settings.success_distance
        self._frames = self._frames + 1 if shows else 0
        return GoalReading(value, distance, self._frames, self._frames >= settings.success_frames)

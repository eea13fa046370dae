"""Watches whether the frames follow the dream that is being executed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.drift.drift_settings import DriftSettings
from wm_planner.drift.online_alignment import OnlineAlignment
from wm_planner.types import Plan

LEAST_ERROR = 0.01


@dataclass(frozen=True)
class DriftReading:
    """How one frame compares with the dream.

    Attributes:
        cost: distance from the dream along the best alignment, in the world model's own errors;
            inf where the frame cannot be compared.
        step: where in the dream the frame belongs, 0 for its start, H for its last frame.
        lateness: by how many steps of the plan that is behind time; negative where ahead.
        drifted: whether the frames have left the dream.
    """

    cost: float
    step: float
    lateness: float
    drifted: bool

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.cost:.2g} model errors from dreamed step {self.step:.1f}"


class DriftMonitor:
    """Follows one plan.

    Being a little late is no drift, leaving the path is. Distances are measured in the error of
    the world model when it shows a frame and looks at it again, so that a limit means the same for
    every model. Only a distance that lasts changes the verdict, in either direction.

    Args:
        plan: what is being executed; how fast does not matter.
        start: latent of the frame that it was made on.
        error: root mean square of the model's own error in latents, above 0.
        settings: how far is too far.
    """

    def __init__(
        self, plan: Plan, start: np.ndarray, error: float, settings: DriftSettings
    ) -> None:
        dream = plan.dream.astype(np.float32)
        path = np.concatenate([np.asarray(start, np.float32)[None], dream])
        self._alignment = OnlineAlignment(path, settings.drift_band, settings.drift_memory)
        self._plan, self._error, self._settings = plan, error, settings
        self._drifted = False
        self._newest: tuple[int, DriftReading] | None = None
        self._since: float | None = None  # step from which on frames contradict the verdict

    def restart(self, plan: Plan) -> None:
        """Follow the same plan from another start on; to be called before any frame was read."""
        self._plan = plan

    def read(self, latent: np.ndarray, stamp_ns: int) -> DriftReading:
        """Compare the newest frame; one that is not newer than the last changes nothing.

        Args:
            latent: the frame as the world model sees it.
            stamp_ns: when it was taken, ROS clock.
        """
        if self._newest is not None and stamp_ns <= self._newest[0]:
            return self._newest[1]
        due = (stamp_ns - self._plan.start_ns) * 1e-9 / self._plan.dt
        place = self._alignment.add(latent, due)
        cost = float(np.sqrt(place.cost)) / self._error
        beyond = not cost <= self._settings.drift_limit  # what is not a number is beyond
        if beyond == self._drifted:
            self._since = None
        elif self._since is None:
            self._since = due
        if self._since is not None and due - self._since >= self._settings.drift_steps - 1 - 1e-6:
            self._drifted, self._since = beyond, None
        late = min(due, float(len(self._plan.dream))) - place.position
        reading = DriftReading(cost, place.position, late, self._drifted)
        self._newest = stamp_ns, reading
        return reading


def own_error(latent: np.ndarray, again: np.ndarray) -> float:
    """Return the root mean square between a frame's latent and that of the frame decoded from it.

    No model counts as better than `LEAST_ERROR` of its latents: dreams are rounded.

    Args:
        latent: what the model saw.
        again: what it sees in its own picture of that.
    """
    latent = np.asarray(latent, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        error, size = (np.sqrt(np.mean(off**2)) for off in (again - latent, latent))
    return float(max(error, LEAST_ERROR * size, np.finfo(np.float32).tiny))

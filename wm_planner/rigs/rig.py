"""The base of all rigs: a robot with cameras, real or simulated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from wm_planner.errors import RigError
from wm_planner.rigs.disturbance import Disturbance, Disturbed
from wm_planner.robot.rig_description import RigDescription
from wm_planner.types import Command, Observation


class Rig(ABC):
    """Looks and moves. It neither plans nor judges."""

    description: RigDescription

    @abstractmethod
    def observe(self) -> Observation:
        """Return the newest images and joints."""

    @abstractmethod
    def apply(self, command: Command) -> Command:
        """Move towards a set point, and return what was really sent after limits."""

    @abstractmethod
    def stop(self) -> None:
        """Decelerate within limits and hold; further commands are needed to move again."""

    @abstractmethod
    def close(self) -> None:
        """Give back everything held open; may be called twice."""


class SimulatedRig(Rig):
    """A rig whose time only passes when told to, and whose scene a seed fixes."""

    tasks: tuple[str, ...]
    disturbances: tuple[str, ...] = ()

    @property
    @abstractmethod
    def time_ns(self) -> int:
        """Simulated time since the reset."""

    def joint_state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what `observe` says of the joints: (D,) rad, (D,) rad/s and widths (2,) m."""
        seen = self.observe()
        return seen.joint_position, seen.joint_velocity, seen.gripper_width

    @abstractmethod
    def reset(self, task: str, seed: int) -> None:
        """Set up the scene of a task; the same seed gives the same scene."""

    @abstractmethod
    def step(self, seconds: float) -> None:
        """Let time pass."""

    def disturb(self, disturbance: Disturbance, seed: int) -> None:
        """Let something go wrong once before the next reset; call right after one.

        Args:
            disturbance: what and how much, of a kind in `disturbances`.
            seed: fixes the rest.
        """
        raise RigError(f"rig {self.description.name}: has no disturbances")

    @property
    def disturbed(self) -> Disturbed | None:
        """What came of the disturbance, None where none was asked for."""
        return None

    def snapshot(self) -> Any:
        """Return the whole state between two steps, for `restore`."""
        raise RigError(f"rig {self.description.name}: has no snapshots")

    def restore(self, snapshot: Any) -> None:
        """Go back to a snapshot of this rig: what follows is the same to the bit."""
        raise RigError(f"rig {self.description.name}: has no snapshots")

    def suspend_disturbance(self) -> None:
        """Let no disturbance begin until the next reset or `restore`: trials see no future."""

    @abstractmethod
    def succeeded(self) -> bool:
        """Whether physics says that the task is done now."""

    @property
    def goals_done(self) -> int:
        """How many of the task's goals physics has seen done in their order, all on success."""
        return int(self.succeeded())

    def way_left(self) -> float:
        """How far hands and things still have to go, m; 0 exactly where `succeeded` says so."""
        raise RigError(f"rig {self.description.name}: does not say how far it is from success")

    @abstractmethod
    def instructions(self, task: str) -> tuple[str, ...]:
        """Return the sentences that ask for a task, one for each of its goals."""

    def goal_pictures(self, task: str, seed: int, camera: str) -> tuple[np.ndarray, ...]:
        """Return what a camera sees when each goal of a task is done, (h, w, 3) uint8 RGB.

        The rig is left in any state: reset it.

        Args:
            task: name.
            seed: of the scene.
            camera: name.
        """
        raise RigError(f"rig {self.description.name}: has no pictures of its goals")

    @abstractmethod
    def time_limits_s(self, task: str) -> tuple[float, ...]:
        """Return after which time, s, each goal that was not reached has failed."""

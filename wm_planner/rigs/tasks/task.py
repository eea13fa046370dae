"""What a simulated task is: a scene, an instruction, a physical success test, a scripted expert."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from wm_planner.errors import UnknownNameError

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.performance import Performance


LEAST_LEFT_M = 1e-3  # what has not succeeded has at least this far to go


@dataclass(frozen=True)
class Scene:
    """A MuJoCo model that several tasks share.

    Attributes:
        name: what tasks call it.
        build: makes the MJCF text.
        movable: free bodies (each with a freejoint of its own name) that tasks place.
        tracked: bodies whose positions a recording notes.
    """

    name: str
    build: Callable[[], str]
    movable: tuple[str, ...]
    tracked: tuple[str, ...]
    known: ClassVar[dict[str, Scene]] = {}

    def __post_init__(self) -> None:
        Scene.known[self.name] = self

    @staticmethod
    def named(name: str) -> Scene:
        if name not in Scene.known:
            raise UnknownNameError("scene", name, Scene.known)
        return Scene.known[name]


@dataclass(frozen=True)
class Task(ABC):
    """One task of the simulated rig.

    Attributes:
        name: as on the command line.
        scene: name of its `Scene`.
        instructions: ways to ask for it; the first is the usual one.
        time_limit_s: an episode that has not succeeded by then has failed.
        recoveries: mistakes that its expert can make and mend; see `perform`.
    """

    name: str
    scene: str
    instructions: tuple[str, ...]
    time_limit_s: float
    recoveries: tuple[str, ...] = field(default=())
    objects: ClassVar[tuple[str, ...]]  # what the task is about: a disturbance shifts these

    @property
    def parts(self) -> tuple[Task, ...]:
        """What is to be done one after the other: one task, but for a `LongTask`."""
        return (self,)

    @abstractmethod
    def place(self, rig: MujocoRig, generator: np.random.Generator) -> None:
        """Lay out the scene at rest."""

    @abstractmethod
    def succeeded(self, rig: MujocoRig) -> bool:
        """The physical success test, on the simulator's state as it is now."""

    @abstractmethod
    def undone(self, rig: MujocoRig) -> float:
        """How far hands and things are from doing it, m; see `way_left`, which judges success."""

    def way_left(self, rig: MujocoRig) -> float:
        """How far hands, fingers and things still have to go until it is done, m, summed up.

        0 exactly where it has succeeded. Along a good way it shrinks; it says nothing about
        obstacles, and how much a step weighs beside another is rough.
        """
        return 0.0 if self.succeeded(rig) else max(self.undone(rig), LEAST_LEFT_M)

    @abstractmethod
    def perform(self, performance: Performance, mistake: str) -> None:
        """The scripted expert.

        Args:
            performance: moves the hands and records.
            mistake: "" for none, one of `recoveries`, or "fail": miss and do not mend it.
        """

    @abstractmethod
    def aims(self, rig: MujocoRig) -> np.ndarray:
        """Where hands go first to do it, shape (N, 3), m, base frame."""

    def resumable(self, rig: MujocoRig, held: Sequence[str]) -> bool:
        """Whether its expert can go on from the present state.

        Args:
            rig: as it is now.
            held: names of the objects that are off the table.
        """
        return bool(self.recoveries) and not held

    def begin(self, rig: MujocoRig) -> None:  # noqa: B027  optional hook
        """After the scene has settled."""

    def before_step(self, rig: MujocoRig) -> None:  # noqa: B027  optional hook
        """Before every control period of physics."""

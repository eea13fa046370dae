"""Disturbs an episode of the simulated rig once, when a hand has covered a share of its way.

All of it follows from the episode's seed and the kind of disturbance. The amount does not change
the direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wm_planner.rigs.disturbance import KINDS, Disturbance, Disturbed
from wm_planner.rigs.shifting import find_way, is_touched, things
from wm_planner.rigs.simulated_scene import SIDES

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig

USUAL_SHARE = 0.5  # of a hand's way to what it reaches for
SHARES = {"object_pushed": 0.65}
PUSH_S = 0.4
NUDGE_S = 0.2
NUDGED_JOINTS = 3  # from the base: the others hardly move the hand

Course = Callable[[], bool]
"""Disturbs one control period and says whether to go on. It remembers nothing but the simulator's
time, so that a restored simulator is disturbed as before."""


class Disturber:
    """Waits for the moment, and disturbs.

    Args:
        rig: at the start of an episode.
        disturbance: what to do.
        seed: of the episode.

    Attributes:
        outcome: what came of it so far.
        suspended: while True, what has not begun does not begin.
    """

    suspended = False

    def __init__(self, rig: MujocoRig, disturbance: Disturbance, seed: int) -> None:
        self.disturbance, self.outcome = disturbance, Disturbed(disturbance.kind)
        self._rig = rig
        self._generator = np.random.default_rng([seed, 13, list(KINDS).index(disturbance.kind)])
        distance = self._distances()
        self._hands = distance.argmin(axis=1)  # the one that will go there
        self._begun_m = distance.min(axis=1)
        self._begun = False
        self._course: Course | None = None

    def before_step(self) -> None:
        """Call before every control period of physics."""
        if not self._begun and not self.suspended and self._due():
            self._begun = True
            self._course = getattr(self, f"_{self.disturbance.kind}")()
        if self._course is not None and not self._course():
            self._course = None

    def state(self) -> tuple[Any, ...]:
        """Return what changes in the course of an episode, for `restore`."""
        return self.outcome, self._begun, self._course, self._generator.bit_generator.state

    def restore(self, state: tuple[Any, ...]) -> None:
        """Be as when `state` was called, and not suspended."""
        self.outcome, self._begun, self._course, self._generator.bit_generator.state = state
        self.suspended = False

    def _distances(self) -> np.ndarray:
        """From what the task reaches for (N things) to each hand, shape (N, 2), m."""
        aims, tools = self._rig.task.aims(self._rig), self._rig.tool_position()
        return np.linalg.norm(aims[:, None] - tools, axis=-1)

    def _due(self) -> bool:
        left = np.take_along_axis(self._distances(), self._hands[:, None], axis=1)[:, 0]
        share = SHARES.get(self.disturbance.kind, USUAL_SHARE)
        return bool((left <= (1 - share) * self._begun_m).any())

    def _note(self, what: str = "", reason: str = "") -> None:
        time_s = round(float(self._rig.data.time), 3)
        self.outcome = replace(
            self.outcome, applied=not reason, time_s=time_s, what=what, reason=reason
        )

    # -- one for each kind: begins, and returns how it goes on, None where it does not ------------
    def _object_moved(self) -> Course | None:
        return self._shift(0.0)

    def _object_pushed(self) -> Course | None:
        return self._shift(PUSH_S)

    def _shift(self, duration_s: float) -> Course | None:
        rig, names = self._rig, self._rig.task.objects
        if is_touched(rig, names):
            self._note(reason="held")
            return None
        way = find_way(rig, names, self.disturbance.amount, self._generator)
        if way is None:
            self._note(reason="no room")
            return None
        self._note(", ".join(names))
        shifted, begin = things(rig, names), rig.data.time

        def shift() -> bool:
            share = _share(rig.data.time - begin, duration_s)
            velocity = way / duration_s if share < 1 else np.zeros(2)
            for thing in shifted:
                thing.put(share * way, velocity)
            rig.forward()
            return share < 1

        return shift

    def _arm_nudged(self) -> Course:
        rig = self._rig
        side = SIDES[self._hands[int(self._begun_m.argmin())]]
        joint = f"{side}_joint_{self._generator.integers(NUDGED_JOINTS) + 1}"
        torque = self.disturbance.amount * self._generator.choice([-1, 1])
        address, begin = rig.model.joint(joint).dofadr[0], rig.data.time
        self._note(joint)

        def nudge() -> bool:
            over = _share(rig.data.time - begin, NUDGE_S) >= 1
            rig.data.qfrc_applied[address] = 0.0 if over else torque
            return not over

        return nudge

    def _camera_shaken(self) -> None:
        heading = self._generator.uniform(-np.pi, np.pi)
        # Across the direction of view, along which a turn would hardly show.
        axis = np.array([np.cos(heading), np.sin(heading), 0.0])
        self._rig.appearance.turn_camera("head", self.disturbance.amount * axis)
        self._note("head camera")
        self._rig.forward()

    def _light_dimmed(self) -> None:
        self._rig.appearance.dim(self.disturbance.amount)
        self._note("light")
        self._rig.forward()


def _share(passed_s: float, duration_s: float) -> float:
    """Share of a duration that has passed; 1 where it takes no time."""
    return 1.0 if passed_s > duration_s - 1e-6 else passed_s / duration_s

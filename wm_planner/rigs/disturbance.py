"""What may go wrong once in the middle of a simulated episode, by how much, and what came of it.

A planner that looks again and again should get over it. It is not told: like on a real robot, it
sees what the camera and the joints show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wm_planner.errors import ConfigurationError
from wm_planner.settings import describe, from_mapping, setting


@dataclass(frozen=True)
class DisturbanceSettings:
    """How large each kind of disturbance is; the names are the kinds."""

    object_moved: float = setting(
        0.04, unit="m", minimum=0.005, maximum=0.15,
        help="the task's object, or both markers, elsewhere at once, half way to it",
    )  # fmt: skip
    object_pushed: float = setting(
        0.05, unit="m", minimum=0.005, maximum=0.15,
        help="the same, sliding for 0.4 s, two thirds of the way",
    )  # fmt: skip
    arm_nudged: float = setting(
        30.0, unit="N m", minimum=1.0, maximum=60.0,
        help="torque on a joint of the arm that reaches, for 0.2 s, half way",
    )  # fmt: skip
    camera_shaken: float = setting(
        math.radians(2.0), unit="rad", minimum=0.001, maximum=0.2,
        help="the head camera is turned half way, and stays so",
    )  # fmt: skip
    light_dimmed: float = setting(
        0.3, minimum=0.01, maximum=0.95, help="share of the light that goes out half way"
    )


KINDS = {info.name: info for info in describe(DisturbanceSettings)}


@dataclass(frozen=True)
class Disturbance:
    """One kind of disturbance.

    Attributes:
        kind: one of `KINDS`.
        amount: how much, in the unit of `KINDS`.
    """

    kind: str
    amount: float

    @staticmethod
    def parse(text: str) -> Disturbance:
        """Read "object_moved" or "object_moved=0.06", and refuse what is out of bounds."""
        kind, equals, number = text.partition("=")
        try:
            given = {kind: float(number)} if equals else {}
        except ValueError:
            raise ConfigurationError(f"{text!r}: {number!r} after = is not a number") from None
        # Under a made-up amount an unknown kind is refused in the same words.
        amounts = from_mapping(DisturbanceSettings, given if kind in KINDS else {kind: 0.0})
        return Disturbance(kind, getattr(amounts, kind))

    @property
    def text(self) -> str:
        """For people, with the unit."""
        return f"{self.kind} by {self.amount:.3g} {KINDS[self.kind].unit}".rstrip()


@dataclass(frozen=True)
class Disturbed:
    """What came of a disturbance.

    Attributes:
        kind: one of `KINDS`.
        applied: whether it happened.
        time_s: when it began, or was found impossible; None where it was never time for it.
        what: the things that were disturbed, "" where none was.
        reason: why it did not happen.
    """

    kind: str
    applied: bool = False
    time_s: float | None = None
    what: str = ""
    reason: str = "no hand came that far"

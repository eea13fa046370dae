"""Hand targets of the scripted experts: position, a turn from pointing down, and width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from wm_planner.types import HandPoses

OPEN, CLOSED = 0.085, 0.0  # commanded widths, m
CLEAR_M = 0.10  # height from which hands may go sideways over what lies on the table
#: Tool frame of a hand that points straight down with its fingers opening along world x.
DOWN = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
#: Where the experts let each tool go, (hand, xyz), m.
LOWER = np.array([[-0.40, 0.17, 0.012], [-0.10, 0.17, 0.012]])
UPPER = np.array([[0.10, 0.48, 0.36], [0.40, 0.48, 0.36]])


@dataclass
class Hands:
    """Where both hands are told to be.

    Attributes:
        position: Shape (2, 3), m.
        turn: Shape (2, 3): yaw about z, then tilts about x and y, rad, from pointing down.
        width: Shape (2,), m.
    """

    position: np.ndarray
    turn: np.ndarray
    width: np.ndarray

    def copy(self) -> Hands:
        return Hands(self.position.copy(), self.turn.copy(), self.width.copy())

    def moved(
        self,
        side: int,
        position: np.ndarray | None = None,
        yaw: float | None = None,
        width: float | None = None,
    ) -> Hands:
        """A copy with one hand changed."""
        hands = self.copy()
        if position is not None:
            hands.position[side] = position
        if yaw is not None:
            hands.turn[side] = (yaw, 0.0, 0.0)
        if width is not None:
            hands.width[side] = width
        return hands

    def poses(self) -> HandPoses:
        turn = Rotation.from_euler("ZXY", self.turn).as_matrix()
        return HandPoses(position=self.position, rotation=turn @ DOWN, width=self.width)


def between(start: Hands, end: Hands, u: float) -> Hands:
    """Minimum-jerk interpolation, u in [0, 1]."""
    u = u**3 * (10 - 15 * u + 6 * u * u)
    pairs = zip(
        (start.position, start.turn, start.width), (end.position, end.turn, end.width), strict=True
    )
    return Hands(*(a + (b - a) * u for a, b in pairs))


def from_poses(poses: HandPoses) -> Hands:
    """The inverse of `Hands.poses`."""
    turn = Rotation.from_matrix(poses.rotation @ DOWN.T).as_euler("ZXY")
    return Hands(poses.position.copy(), turn, poses.width.copy())

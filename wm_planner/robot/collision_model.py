"""Distances of a robot from itself, by coal through pinocchio."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from wm_planner.robot.link_pairs import Configurations, LinkPairs, with_pairs
from wm_planner.robot.swept_collisions import nearest_on_the_way

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CollisionReport:
    """How near the robot comes to touching itself in N postures, or on N ways between postures.

    Negative is penetration. A pair that can never meet, or a row that is not finite, measures inf
    or NaN and names "".

    Attributes:
        self_distance: shape (N,), within one arm or between an arm and the body, m.
        self_pair: N names "link - link" of the nearest pair.
        inter_arm_distance: shape (N,), between the left and the right arm, m.
        inter_arm_pair: N names of the nearest pair.
    """

    self_distance: np.ndarray
    self_pair: tuple[str, ...]
    inter_arm_distance: np.ndarray
    inter_arm_pair: tuple[str, ...]

    @property
    def inter_arm(self) -> np.ndarray:
        """Shape (N,), bool: whether the nearest pair is between the arms."""
        return self.inter_arm_distance < self.self_distance

    @property
    def distance(self) -> np.ndarray:
        """Shape (N,): the smaller of the two distances, m; NaN where either is."""
        return np.minimum(self.self_distance, self.inter_arm_distance)

    @property
    def pair(self) -> tuple[str, ...]:
        """N names of the nearest pair."""
        choice = zip(self.inter_arm, self.inter_arm_pair, self.self_pair, strict=True)
        return tuple(between if inter else within for inter, between, within in choice)


class CollisionModel:
    """Measures all link pairs that could touch but should not.

    Left out are pairs that touch by design: neighbours in the URDF, pairs that the caller names,
    and pairs that touch in the home posture and in every one of many random postures.
    Measurements share scratch memory: one thread at a time.
    """

    def __init__(
        self,
        model: pin.Model,
        geometry: pin.GeometryModel,
        side_of_joint: Sequence[int],
        allowed: set[frozenset[str]],
        joints: Sequence[int],
        configurations: Configurations,
        home: np.ndarray,
        samples: np.ndarray,
    ) -> None:
        """Choose the pairs.

        Args:
            model: the robot, reduced to arms and grippers.
            geometry: its collision shapes, without pairs.
            side_of_joint: for each joint of the model 0 (left), 1 (right) or -1 (body).
            allowed: pairs of link names that may touch.
            joints: the model's indices of the J joints that postures are given in.
            configurations: makes configurations of postures.
            home: the resting posture, shape (1, J).
            samples: random postures, shape (n, J).
        """
        links = [model.frames[shape.parentFrame].name for shape in geometry.geometryObjects]
        geometry = geometry.copy()
        geometry.addAllCollisionPairs()
        pairs = [(pair.first, pair.second) for pair in geometry.collisionPairs]
        pairs = [(a, b) for a, b in pairs if frozenset((links[a], links[b])) not in allowed]
        postures = configurations(np.vstack([home, samples]))
        touching = _always_touching(model, geometry, pairs, postures)
        if touching:
            names = ", ".join(sorted(f"{links[a]} - {links[b]}" for a, b in touching))
            logger.info("collision pairs left out because they always touch: %s", names)
        kept = [pair for pair in pairs if pair not in touching]
        sides = [side_of_joint[shape.parentJoint] for shape in geometry.geometryObjects]
        between = [pair for pair in kept if {sides[pair[0]], sides[pair[1]]} == {0, 1}]
        within = [pair for pair in kept if pair not in set(between)]
        self._within, self._between = (
            LinkPairs(model, geometry, group, joints, configurations) for group in (within, between)
        )

    @property
    def pairs(self) -> set[frozenset[str]]:
        """Pairs of link names that are measured."""
        return {frozenset(pair) for pair in self._within.names + self._between.names}

    def measure(self, postures: np.ndarray) -> CollisionReport:
        """Return the distances in postures of shape (N, J)."""
        return CollisionReport(*self._within.nearest(postures), *self._between.nearest(postures))

    def measure_ways(
        self, start: np.ndarray, end: np.ndarray, self_clearance: float, inter_arm_clearance: float
    ) -> CollisionReport:
        """Return the smallest distances on straight ways between postures (N, J) and (N, J).

        See `nearest_on_the_way`; clearances are in m.
        """
        return CollisionReport(
            *nearest_on_the_way(self._within, start, end, self_clearance),
            *nearest_on_the_way(self._between, start, end, inter_arm_clearance),
        )


def _always_touching(
    model: pin.Model,
    geometry: pin.GeometryModel,
    pairs: list[tuple[int, int]],
    configurations: np.ndarray,
) -> set[tuple[int, int]]:
    """Return the pairs that touch in every one of the configurations (N, nq)."""
    touching, data = pairs, model.createData()
    for configuration in configurations:
        if not touching:
            break
        shapes, measured = with_pairs(geometry, touching)
        pin.computeCollisions(model, data, shapes, measured, configuration, False)
        results = zip(touching, measured.collisionResults, strict=True)
        touching = [pair for pair, result in results if result.isCollision()]
    return set(touching)

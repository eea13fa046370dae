"""Distances of a robot from itself, by coal through pinocchio."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CollisionReport:
    """How near N configurations come to touching themselves; negative is penetration.

    A pair that can never meet, or a row that is not finite, measures inf or NaN and names "".

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
        home: np.ndarray,
        samples: np.ndarray,
    ) -> None:
        """Choose the pairs.

        Args:
            model: the robot, reduced to arms and grippers.
            geometry: its collision shapes, without pairs.
            side_of_joint: for each joint of the model 0 (left), 1 (right) or -1 (body).
            allowed: pairs of link names that may touch.
            home: the resting configuration, shape (1, nq).
            samples: random configurations, shape (n, nq).
        """
        self._model, self._data = model, model.createData()
        self._links = [model.frames[shape.parentFrame].name for shape in geometry.geometryObjects]
        geometry = geometry.copy()
        geometry.addAllCollisionPairs()
        pairs = [(pair.first, pair.second) for pair in geometry.collisionPairs]
        pairs = [pair for pair in pairs if frozenset(self._names(pair)) not in allowed]
        touching = self._always_touching(geometry, pairs, np.vstack([home, samples]))
        if touching:
            names = ", ".join(sorted(" - ".join(self._names(pair)) for pair in touching))
            logger.info("collision pairs left out because they always touch: %s", names)
        kept = [pair for pair in pairs if pair not in touching]
        sides = [side_of_joint[shape.parentJoint] for shape in geometry.geometryObjects]
        between = [pair for pair in kept if {sides[pair[0]], sides[pair[1]]} == {0, 1}]
        within = [pair for pair in kept if pair not in set(between)]
        self._within = _with_pairs(geometry, within)
        self._between = _with_pairs(geometry, between)

    @property
    def pairs(self) -> set[frozenset[str]]:
        """Pairs of link names that are measured."""
        groups = (self._within[0], self._between[0])
        return {
            frozenset(self._names((pair.first, pair.second)))
            for group in groups
            for pair in group.collisionPairs
        }

    def measure(self, configurations: np.ndarray) -> CollisionReport:
        """Return the distances of configurations of shape (N, nq)."""
        within = self._nearest(self._within, configurations)
        between = self._nearest(self._between, configurations)
        return CollisionReport(*within, *between)

    def _nearest(
        self, group: tuple[pin.GeometryModel, pin.GeometryData], configurations: np.ndarray
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        geometry, data = group
        distance = np.full(len(configurations), np.inf)
        names = [""] * len(configurations)
        distance[~np.isfinite(configurations).all(axis=1)] = np.nan
        if len(geometry.collisionPairs) == 0:
            return distance, tuple(names)
        for row in np.flatnonzero(~np.isnan(distance)):
            nearest = pin.computeDistances(
                self._model, self._data, geometry, data, configurations[row]
            )
            distance[row] = data.distanceResults[nearest].min_distance
            pair = geometry.collisionPairs[nearest]
            names[row] = " - ".join(self._names((pair.first, pair.second)))
        return distance, tuple(names)

    def _names(self, pair: tuple[int, int]) -> tuple[str, str]:
        return self._links[pair[0]], self._links[pair[1]]

    def _always_touching(
        self,
        geometry: pin.GeometryModel,
        pairs: list[tuple[int, int]],
        configurations: np.ndarray,
    ) -> set[tuple[int, int]]:
        touching = pairs
        for configuration in configurations:
            if not touching:
                break
            model, data = _with_pairs(geometry, touching)
            pin.computeCollisions(self._model, self._data, model, data, configuration, False)
            results = zip(touching, data.collisionResults, strict=True)
            touching = [pair for pair, result in results if result.isCollision()]
        return set(touching)


def _with_pairs(
    geometry: pin.GeometryModel, pairs: list[tuple[int, int]]
) -> tuple[pin.GeometryModel, pin.GeometryData]:
    chosen = geometry.copy()
    chosen.removeAllCollisionPairs()
    for first, second in pairs:
        chosen.addCollisionPair(pin.CollisionPair(first, second))
    data = chosen.createData()
    with warnings.catch_warnings():
        # Deprecated, but what pinocchio switches on: coal would start from the pair's last result,
        # and a distance would depend, by 1e-6 m, on what was measured before it.
        warnings.simplefilter("ignore", DeprecationWarning)
        for request in (*data.distanceRequests, *data.collisionRequests):
            request.enable_cached_gjk_guess = False
    return chosen, data

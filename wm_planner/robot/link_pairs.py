"""Pairs of links and the distances between their shapes, by coal through pinocchio."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pinocchio as pin

Configurations = Callable[[np.ndarray], np.ndarray]
"""Joint values (N, J) in rad or m to pinocchio's configurations (N, nq)."""


class LinkPairs:
    """P pairs of collision shapes. Measurements share scratch memory: one thread at a time.

    Postures are values of the J joints that the caller names, in that order.

    Attributes:
        names: P pairs of link names.
        reach: shape (P, J): by how much a unit motion of a joint (rad or m) can at most bring the
            two nearer to each other, m. 0 where the joint moves both as one.
        thickness: shape (P,), smallest extent of the thinner shape, m.
    """

    def __init__(
        self,
        model: pin.Model,
        geometry: pin.GeometryModel,
        pairs: Sequence[tuple[int, int]],
        joints: Sequence[int],
        configurations: Configurations,
    ) -> None:
        """Choose the pairs.

        Args:
            model: the robot, reduced to the joints.
            geometry: its collision shapes.
            pairs: indices of two shapes each.
            joints: the model's indices of the J joints.
            configurations: makes configurations of joint values.
        """
        self._model, self._data = model, model.createData()
        self._geometry, self._measured = with_pairs(geometry, pairs)
        self._configurations = configurations
        links = [model.frames[shape.parentFrame].name for shape in geometry.geometryObjects]
        self.names = tuple((links[one], links[other]) for one, other in pairs)
        shapes = [_reach_and_thickness(model, shape) for shape in geometry.geometryObjects]
        self.reach, self.thickness = np.zeros((len(pairs), len(joints))), np.zeros(len(pairs))
        for row, (one, other) in enumerate(pairs):
            (first, thin), (second, thinner) = shapes[one], shapes[other]
            apart = np.where((first > 0.0) & (second > 0.0), 0.0, first + second)
            self.reach[row], self.thickness[row] = apart[list(joints)], min(thin, thinner)

    def nearest(self, postures: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return distance (N,), m, and names of the nearest pair of postures (N, J).

        A row that is not finite measures NaN; without pairs, all measure inf. Both name "".
        """
        distance, pair = np.full(len(postures), np.inf), np.full(len(postures), -1)
        distance[~np.isfinite(postures).all(axis=1)] = np.nan
        if self.names:
            for row, q in self._finite(postures):
                pair[row] = pin.computeDistances(
                    self._model, self._data, self._geometry, self._measured, q
                )
                distance[row] = self._measured.distanceResults[int(pair[row])].min_distance
        return distance, self.label(pair)

    def distances(self, postures: np.ndarray) -> np.ndarray:
        """Return the distances (N, P), m, of all pairs in postures (N, J); NaN as in `nearest`."""
        distance = np.full((len(postures), len(self.names)), np.nan)
        if self.names:
            for row, q in self._finite(postures):
                pin.computeDistances(self._model, self._data, self._geometry, self._measured, q)
                results = self._measured.distanceResults
                distance[row] = np.fromiter((r.min_distance for r in results), float, len(results))
        return distance

    def distances_of(self, postures: np.ndarray, rows: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Return the distances (n,), m, of pairs (n,) in the postures (N, J) at rows (n,)."""
        distance = np.full(len(rows), np.nan)
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], np.arange(len(postures) + 1))
        for row, q in self._finite(postures):
            pin.updateGeometryPlacements(self._model, self._data, self._geometry, self._measured, q)
            for i in order[starts[row] : starts[row + 1]]:
                result = pin.computeDistance(self._geometry, self._measured, int(pairs[i]))
                distance[i] = result.min_distance
        return distance

    def label(self, pairs: np.ndarray) -> tuple[str, ...]:
        """Return "link - link" for indices of pairs, "" for -1."""
        return tuple(" - ".join(self.names[pair]) if pair >= 0 else "" for pair in pairs)

    def _finite(self, postures: np.ndarray) -> list[tuple[int, np.ndarray]]:
        rows = np.flatnonzero(np.isfinite(postures).all(axis=1))
        return list(zip(rows.tolist(), self._configurations(postures[rows]), strict=True))


def slides(joint: pin.JointModel) -> bool:
    """Return whether a joint is prismatic; others turn."""
    return "P" in joint.shortname().removeprefix("JointModel")


def with_pairs(
    geometry: pin.GeometryModel, pairs: Sequence[tuple[int, int]]
) -> tuple[pin.GeometryModel, pin.GeometryData]:
    """Return a copy of the shapes with these pairs alone, and scratch memory for it."""
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


def _reach_and_thickness(model: pin.Model, shape: pin.GeometryObject) -> tuple[np.ndarray, float]:
    """Return how far a shape's points are from each joint below it (njoints,), and its thickness.

    A joint that slides moves points by as much as itself: its reach is 1. What lies beyond it may
    be as far away as its range is long.
    """
    shape.geometry.computeLocalAABB()
    box = shape.geometry.aabb_local
    extent = (box.width(), box.height(), box.depth())
    distance = np.linalg.norm(shape.placement.translation)
    distance += np.linalg.norm(shape.geometry.aabb_center) + shape.geometry.aabb_radius
    reach, joint = np.zeros(model.njoints), shape.parentJoint
    while joint > 0:
        kind = model.joints[joint]
        reach[joint] = 1.0 if slides(kind) else distance
        if slides(kind):
            limits = model.lowerPositionLimit[kind.idx_q], model.upperPositionLimit[kind.idx_q]
            distance += np.abs(limits).max()
        distance += np.linalg.norm(model.jointPlacements[joint].translation)
        joint = model.parents[joint]
    return reach, float(min(extent))

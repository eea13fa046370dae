"""Aligns frames, as they come, with a path of latents: dynamic time warping with open ends.

Frames come at any rate and lie between the path's points, so a frame is compared with the straight
ways between them. It may belong earlier or later than its time says, by a band, but not to a way
before that of the frame that came before it. Old frames count less and less, so that what happens
now is not averaged away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TIE = 1.02  # costs this near to the least are as good: of those, the place nearest in time is told


@dataclass(frozen=True)
class Place:
    """Where on the path the newest frame belongs.

    Attributes:
        position: in steps from the path's first point, 0 to H.
        cost: mean squared distance along the best alignment so far, newest frames counting most;
            inf where the frame cannot be compared.
    """

    position: float
    cost: float


class OnlineAlignment:
    """Follows one path.

    Args:
        path: shape (H + 1, ...), where to be at 0 to H steps.
        band: how far from its time a frame may belong, steps.
        memory: weight of a frame against one that is a step newer, 0 to 1.
    """

    def __init__(self, path: np.ndarray, band: float, memory: float) -> None:
        points = np.asarray(path, np.float64).reshape(len(path), -1)
        with np.errstate(invalid="ignore", over="ignore"):
            self._from, self._ways = points[:-1], np.diff(points, axis=0)
            self._lengths = (self._ways**2).sum(axis=1)
        self._band, self._memory = band, memory
        self._totals, self._weight = np.zeros(len(self._ways)), 0.0  # best alignments by last way
        self._newest: float | None = None

    def add(self, latent: np.ndarray, due: float) -> Place:
        """Take the next frame.

        Args:
            latent: what is seen, of the shape of the path's points.
            due: where on the path it should be by its time, steps; no less than that of the frame
                before.
        """
        on_path = min(max(due, 0.0), float(len(self._ways)))
        along, costs = self._compare(np.ravel(latent), on_path)
        if np.isinf(costs).all():
            return Place(on_path, np.inf)  # nothing is learned from it
        kept = 1.0 if self._newest is None else self._memory ** (due - self._newest)
        self._newest = due
        # A frame may belong to the way of the one before, or to any later one.
        before = np.minimum.accumulate(self._totals)
        with np.errstate(invalid="ignore"):  # no memory of an infinite cost is not a number
            self._totals = costs + np.where(np.isinf(before), before, kept * before)
        self._weight = 1.0 + kept * self._weight
        least = self._totals.min()
        near = np.flatnonzero(self._totals <= TIE * least)
        places = near + along[near]
        position = float(places[np.abs(places - on_path).argmin()])
        return Place(position, float(least / self._weight))

    def _compare(self, latent: np.ndarray, due: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest place on each way, 0 to 1, and its mean squared distance, both (H,).

        Ways out of the band's reach, and what is not a number, are infinitely far.
        """
        number = np.arange(len(self._ways))
        lowest = np.maximum(due - self._band - number, 0.0)
        highest = np.minimum(due + self._band - number, 1.0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            off = latent - self._from
            along = np.nan_to_num((off * self._ways).sum(axis=1) / self._lengths)
            along = np.clip(along, lowest, np.maximum(highest, lowest))
            costs = np.mean((off - along[:, None] * self._ways) ** 2, axis=1)
        costs[(lowest > highest) | ~np.isfinite(costs)] = np.inf
        return along, costs

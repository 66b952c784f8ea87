"""A self-organising map: units on a hexagonal grid, each a mean of the profiles near it, like beside like.

The batch algorithm, whole arrays at once; begun on the plane of most variance, so that nothing is drawn. Never here:
what a profile is, or how good a map is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_ROW = np.sqrt(3) / 2  # distance of two rows of hexagons, in distances of two units of a row
_LAST = 0.5  # reach of the last rounds: a unit learns from its own profiles, and a little from those beside it


@dataclass(frozen=True)
class Map:
    """M units of D figures.

    Attributes
    ----------
    units : (M, D) what each unit stands for
    column, row : (M,) places on the grid; odd rows lie half a unit to the right
    """

    units: Floats
    column: NDArray[np.int64]
    row: NDArray[np.int64]

    def apart(self) -> NDArray[np.float64]:
        """(M, M) distances on the grid; those beside each other are 1 apart."""
        x, y = self.column + 0.5 * (self.row % 2), self.row * _ROW
        return np.hypot(x[:, None] - x, y[:, None] - y)

    def beside(self) -> NDArray[np.bool_]:
        """(M, M) whether two units touch."""
        apart = self.apart()
        return (apart > 0) & (apart < 1.01)


def fit(profiles: Floats, columns: int, rows: int, rounds: int) -> Map:
    """A map of n profiles.

    Parameters
    ----------
    profiles : (n, D) with n of at least columns · rows
    columns, rows : of the grid, the longer side along the direction of most variance
    rounds : passes over all profiles; the reach of a unit shrinks from half of the longer side to half a unit

    References
    ----------
    Kohonen (2013), Essentials of the self-organizing map, Neural Networks 37 (batch computation, linear beginning).
    """
    place = np.arange(columns * rows)
    found = Map(np.zeros((columns * rows, profiles.shape[1]), np.float32), place % columns, place // columns)
    units, apart = _plane(profiles, found), found.apart() ** 2
    for reach in np.geomspace(max(columns, rows) / 2, _LAST, rounds):
        weight = np.exp(-apart / (2 * reach**2)).astype(np.float32)
        total, count = _sums(profiles, nearest(profiles, units)[:, 0], len(units))
        units = (weight @ total) / np.maximum(weight @ count, np.float32(1e-12))[:, None]
    return Map(units, found.column, found.row)


def distances(profiles: Floats, units: Floats) -> Floats:
    """(n, M) squared Euclidean distances."""
    square = (profiles**2).sum(axis=1)[:, None] - 2 * (profiles @ units.T) + (units**2).sum(axis=1)
    return np.maximum(square, 0)


def nearest(profiles: Floats, units: Floats) -> NDArray[np.int64]:
    """(n, 2) the nearest unit of each profile, and the second; the lower one of equals."""
    return np.argsort(distances(profiles, units), axis=1, kind="stable")[:, :2]


def _sums(profiles: Floats, unit: NDArray[np.int64], n: int) -> tuple[Floats, Floats]:
    """Sum (M, D) and number (M,) of the profiles of each unit."""
    order = np.argsort(unit, kind="stable")
    count = np.bincount(unit, minlength=n)
    total = np.zeros((n, profiles.shape[1]), np.float32)
    there = np.flatnonzero(count)
    begins = np.concatenate([[0], np.cumsum(count)])[there]
    total[there] = np.add.reduceat(profiles[order], begins, axis=0)
    return total, count.astype(np.float32)


def _plane(profiles: Floats, grid: Map) -> Floats:
    """Units spread over two standard deviations of the two directions of most variance."""
    middle = profiles.mean(axis=0)
    centred = (profiles - middle).astype(np.float64)
    value, vector = np.linalg.eigh(centred.T @ centred / len(profiles))
    units = np.tile(middle, (len(grid.column), 1)).astype(np.float64)
    for place, at in enumerate((grid.column + 0.5 * (grid.row % 2), grid.row.astype(float))):
        if place >= len(value):
            break
        axis = vector[:, -1 - place]
        axis = axis * np.sign(axis[np.abs(axis).argmax()])  # either way round would do; one is chosen
        span = float(at.max()) or 1.0
        units += np.outer(4 * at / span - 2, axis) * np.sqrt(max(value[-1 - place], 0.0))
    return units.astype(np.float32)

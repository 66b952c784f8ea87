"""Item given category and the zone that one starts from: popularity × nearness, as a table to draw from and to ask.

P(item i | category c, zone z) = reach[z, zone of i] · weight[i] / Σ over the category. Drawn in two steps (the zone
that one goes to, then an item of that zone and category), so that the table stays small for any catalogue. Never
here: why somebody wants that category.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.draw import BELOW_ONE, flatten_rows, pick

_ALL = rules.ZONES + 1  # the last zone is "online"


def zone_centres() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(ZONES,) latitudes and longitudes in degrees of the middle of each zone."""
    step = (np.arange(rules.GRID) + 0.5) / rules.GRID
    lat = rules.SOUTH + step * (rules.NORTH - rules.SOUTH)
    lon = rules.WEST + step * (rules.EAST - rules.WEST)
    return np.repeat(lat, rules.GRID), np.tile(lon, rules.GRID)


def zone_of(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) zone of each point; ZONES where it has no place."""
    row = (lat - rules.SOUTH) / (rules.NORTH - rules.SOUTH) * rules.GRID
    column = (lon - rules.WEST) / (rules.EAST - rules.WEST) * rules.GRID
    inside = np.isfinite(row)
    row, column = (np.floor(np.clip(np.where(inside, x, 0), 0, rules.GRID - 1)) for x in (row, column))
    return np.where(inside, row * rules.GRID + column, rules.ZONES).astype(np.int64)


@cache
def zone_distance_km() -> NDArray[np.float64]:
    """(ZONES, ZONES) kilometres between the zones' middles (flat earth: the city is small)."""
    lat, lon = zone_centres()
    north = (lat[:, None] - lat) * rules.KM_PER_DEGREE
    east = (lon[:, None] - lon) * rules.KM_PER_DEGREE * np.cos(np.radians(0.5 * (rules.SOUTH + rules.NORTH)))
    return np.asarray(np.hypot(north, east))


@cache
def reach() -> NDArray[np.float64]:
    """(ZONES, ZONES + 1) how readily people go from a zone to another; 1 for what is online."""
    return np.concatenate([np.exp(-zone_distance_km() / rules.REACH_KM), np.ones((rules.ZONES, 1))], axis=1)


class PlaceTable:
    """P(item | category, zone) for one vector of item weights.

    Parameters
    ----------
    category, zone : (I,) of each item
    weight : (I,) ≥ 0; 0 = not to be had
    order : (I,) the items sorted by (category, zone)
    """

    def __init__(
        self,
        category: NDArray[np.int64],
        zone: NDArray[np.int64],
        weight: NDArray[np.float64],
        order: NDArray[np.int64],
    ) -> None:
        self.category, self.zone, self.weight, self.order = category, zone, weight, order
        cells = len(rules.CATEGORIES) * _ALL
        cell = (category * _ALL + zone)[order]
        ordered = weight[order]
        self._reach = reach()
        self._mass = np.bincount(cell, ordered, minlength=cells)
        spread = self._mass.reshape(-1, 1, _ALL) * self._reach  # (C, Z, Z + 1)
        self.total = spread.sum(axis=2)  # (C, Z)
        self._to_zone = flatten_rows(spread.reshape(-1, _ALL))
        self._item = np.cumsum(ordered)
        first = np.searchsorted(cell, np.arange(cells))
        self._before = np.where(first > 0, self._item[first - 1], 0.0)
        self._last = np.zeros(cells, np.int64)
        there = np.flatnonzero(ordered > 0)
        self._last[cell[there]] = there  # ascending, so the last one stays

    def has(self) -> NDArray[np.bool_]:
        """(C,) whether the category has anything to be had."""
        return np.asarray(self.total[:, 0] > 0)

    def draw(
        self,
        category: NDArray[np.integer],
        zone: NDArray[np.integer],
        u: NDArray[np.float64],
        v: NDArray[np.float64],
    ) -> NDArray[np.int64]:
        """(n,) items for (n,) categories that have something, seen from (n,) zones; u, v uniform."""
        row = category.astype(np.int64) * rules.ZONES + zone
        there = pick(self._to_zone, row, u) - row * _ALL
        cell = category.astype(np.int64) * _ALL + there
        at = np.searchsorted(self._item, self._before[cell] + np.minimum(v, BELOW_ONE) * self._mass[cell], side="right")
        return np.asarray(self.order[np.minimum(at, self._last[cell])])

    def chance(self) -> NDArray[np.float64]:
        """(ZONES, I) P(item | its own category, zone); 0 where the category has nothing."""
        total = self.total[self.category].T  # (Z, I)
        share = self._reach[:, self.zone] * self.weight
        return np.divide(share, total, out=np.zeros_like(share), where=total > 0)

"""Numbers the hexagons of the H3 grid that points fall into, vectorised.

The H3 library answers for one point at a time (about 1 µs). Here points are projected onto the faces of the
icosahedron that H3 is built on and rounded to the centres of its lattice; the library is then asked once for each
hexagon (`place.cells_of`). The numbers mean nothing by themselves and are never stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from h3.api import basic_int as h3
from numpy.typing import NDArray

_HALF = 1 << 25  # lattice coordinates are below 7**7.5 * 3
#: Radians; more than the cosine of a small angle is rounded by.
_ROUNDING = 1e-6
#: Places of the table of `distinct_hexagons` for each number.
_TABLE = 4


@dataclass(frozen=True)
class Faces:
    """The 20 faces: (20, 3) unit vectors of the centre, of the direction to a vertex, and of 90° to its left.

    `unit` is the lattice's step at resolution 0 on the plane that touches the centre.
    """

    centre: NDArray[np.float64]
    ahead: NDArray[np.float64]
    left: NDArray[np.float64]
    unit: float


@lru_cache(maxsize=1)
def faces() -> Faces:
    """The icosahedron of H3, from its twelve vertices: the library's pentagons at resolution 0.

    Notes
    -----
    A face's lattice has its origin at the centre and an axis through a vertex, which lies two steps away
    (https://h3geo.org/docs/core-library/overview).
    """
    places = np.radians([h3.cell_to_latlng(cell) for cell in h3.get_pentagons(0)])
    vertices = unit_vectors(places[:, 0], places[:, 1]).T
    edge = np.sort(vertices @ vertices.T, axis=1)[:, -2].min() - 1e-6  # neighbours are the nearest of all
    triples = [
        t for t in combinations(range(12), 3) if all(vertices[a] @ vertices[b] > edge for a, b in combinations(t, 2))
    ]
    centre = np.array([vertices[list(t)].sum(axis=0) for t in triples])
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    tip = vertices[[t[0] for t in triples]]
    flat = tip / np.sum(tip * centre, axis=1, keepdims=True) - centre
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    ahead = flat / length
    return Faces(
        centre=centre,
        ahead=ahead,
        left=np.cross(centre, ahead),
        unit=float(length.mean() / 2),
    )


def unit_vectors(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) points on the unit sphere of latitudes and longitudes in radians."""
    level = np.cos(lat)
    return np.stack([level * np.cos(lon), level * np.sin(lon), np.sin(lat)])


def hexagons(lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64], resolution: int) -> NDArray[np.int64]:
    """(N,) a number for the hexagon of each point: equal numbers are equal H3 cells.

    Parameters
    ----------
    lat_deg, lon_deg : (N,) float64 degrees
    resolution : int, 0..15

    Notes
    -----
    Gnomonic projection onto the nearest face; each finer resolution has a lattice smaller by √7, and the odd ones
    are turned by asin(√(3/28)). Cells on the border of two faces have a number on each.
    """
    if not len(lat_deg):
        return np.zeros(0, np.int64)
    ico = faces()
    points = unit_vectors(np.radians(lat_deg), np.radians(lon_deg))
    face, high = _nearest_faces(ico, points)
    x, y = np.empty_like(high), np.empty_like(high)
    for one in np.flatnonzero(np.bincount(face)).tolist():
        here = face == one
        rows: slice | NDArray[np.bool_] = slice(None) if here.all() else here
        there = points[:, rows]
        x[rows], y[rows] = _along(ico.ahead[one], there), _along(ico.left[one], there)
    x, y = x / high, y / high
    scale, turn = 7 ** (resolution / 2) / ico.unit, -np.arcsin(np.sqrt(3 / 28)) * (resolution % 2)
    x, y = (np.cos(turn) * x - np.sin(turn) * y) * scale, (np.sin(turn) * x + np.cos(turn) * y) * scale
    q, r = _nearest(x, y)
    return (face << 52) | ((q + _HALF) << 26) | (r + _HALF)


def distinct_hexagons(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """As `numpy.unique` of hexagon numbers (N,), -1 = none: the distinct ones, a row of each, and each row's index.

    Hexagons that lie together are marked in a table of their part of the lattice, which takes no sort.
    """
    known = numbers[numbers >= 0]
    if not len(known):
        return np.unique(numbers, return_index=True, return_inverse=True)
    across, along = known >> 26, known & (2 * _HALF - 1)
    (west, east), (south, north) = ((int(axis.min()), int(axis.max())) for axis in (across, along))
    width = north - south + 1
    if (east - west + 1) * width > _TABLE * len(numbers):
        return np.unique(numbers, return_index=True, return_inverse=True)
    flat = np.where(numbers < 0, 0, ((numbers >> 26) - west) * width + (numbers & (2 * _HALF - 1)) - south + 1)
    last = np.full((east - west + 1) * width + 1, -1, np.int64)
    last[flat] = np.arange(len(numbers))
    present = np.flatnonzero(last >= 0)
    rows = last[present]
    last[present] = np.arange(len(present))
    return numbers[rows], rows, last[flat]


def _nearest_faces(ico: Faces, points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N,) the face nearest to each point (3, N), and the cosine of the angle to its centre.

    Only faces that some point may be nearest to are asked: as far as the points reach from the first of them, a
    face may come nearer, and the first one's nearest face may recede.
    """
    angles = np.arccos(np.clip(ico.centre @ points[:, 0], -1, 1))
    reach = float(np.arccos(np.clip(_along(points[:, 0], points).min(), -1, 1)))
    near = np.flatnonzero(angles <= angles.min() + 2 * reach + _ROUNDING)
    face = np.full(points.shape[1], near[0])
    high = _along(ico.centre[near[0]], points)
    for one in near[1:].tolist():
        cosine = _along(ico.centre[one], points)
        face[cosine > high] = one
        high = np.maximum(high, cosine)
    return face, high


def _along(axis: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) scalar products of (3,) with (3, N); plain sums, as a matrix product would start threads."""
    return np.asarray(axis[0] * points[0] + axis[1] * points[1] + axis[2] * points[2])


def _nearest(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Axial coordinates of the nearest centre of a hexagonal lattice with unit steps, one of them along x."""
    b = y / np.sqrt(0.75)
    q, r = x + b / 2, -b
    s = -q - r
    whole_q, whole_r, whole_s = np.rint(q), np.rint(r), np.rint(s)
    off_q, off_r, off_s = np.abs(whole_q - q), np.abs(whole_r - r), np.abs(whole_s - s)
    q_is_worst = (off_q > off_r) & (off_q > off_s)
    r_is_worst = ~q_is_worst & (off_r > off_s)
    nearest_q = np.where(q_is_worst, -whole_r - whole_s, whole_q)
    nearest_r = np.where(r_is_worst, -whole_q - whole_s, whole_r)
    return nearest_q.astype(np.int64), nearest_r.astype(np.int64)

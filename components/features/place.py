"""The place of an event: H3 cells, distance and speed since the user's previous located event.

Coordinates travel as whole numbers of 1e-7 degrees (about 1 cm), so that offline and online see the same place
bit by bit. Pure functions of arrays; nothing here reads a later event.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from h3.api import basic_int as h3
from numpy.typing import NDArray

from components.features.encoding import Vocabulary
from components.features.hexagon import distinct_hexagons, hexagons

E7 = 10_000_000
#: latitude or longitude in 1e-7 degrees of an event without a place.
NO_PLACE = -(2**31)
#: Mean radius of the Earth of the H3 library and of the IUGG, km.
EARTH_KM = 6371.007180918475
_FEW = 4096
_BLOCK = 1 << 16
_SLOT_BITS = 17
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def to_e7(degrees: NDArray[np.float64]) -> NDArray[np.int32]:
    """(N,) degrees as whole numbers of 1e-7 degrees; NaN becomes NO_PLACE."""
    known = np.isfinite(degrees)
    return np.where(known, np.rint(np.where(known, degrees, 0.0) * E7), NO_PLACE).astype(np.int32)


def degrees(e7: NDArray[np.int32]) -> NDArray[np.float64]:
    """(N,) 1e-7 degrees as degrees; NO_PLACE becomes NaN."""
    return np.where(e7 == NO_PLACE, np.nan, e7 / E7)


def point_keys(lat_e7: NDArray[np.int32], lon_e7: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N,) both coordinates in one integer, the same for all without a place: equal keys are equal points."""
    return (lat_e7.astype(np.int64) << 32) | (lon_e7.astype(np.int64) & 0xFFFFFFFF)


@lru_cache(maxsize=65_536)
def _cell(key: int, resolution: int) -> int:
    low = key & 0xFFFFFFFF
    return int(h3.latlng_to_cell((key >> 32) / E7, (low - (low >> 31 << 32)) / E7, resolution))


def finest_cells(points: NDArray[np.int64], resolution: int) -> NDArray[np.uint64]:
    """(P,) H3 cell of each of a few points (`point_keys`), as of a live request, from a cache; 0 for no place."""
    found = (_cell(key, resolution) if key >> 32 != NO_PLACE else 0 for key in points.tolist())
    return np.fromiter(found, np.uint64, len(points))


def cells_of(
    lat_e7: NDArray[np.int32], lon_e7: NDArray[np.int32], resolution: int
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """H3 cells of many points.

    Parameters
    ----------
    lat_e7, lon_e7 : (N,) int32 1e-7 degrees
    resolution : int, 0..15

    Returns
    -------
    cells : (C,) uint64
        The distinct cells, ascending; 0 is no place.
    index : (N,) int32
        Each point's cell among them.

    Notes
    -----
    Points are numbered block by block on every core (`features.hexagon`), those that many events share hardly more
    than once, and the library names each hexagon once, by a point that fell into it.
    """
    if len(lat_e7) <= _FEW:
        cells, where = np.unique(finest_cells(point_keys(lat_e7, lon_e7), resolution), return_inverse=True)
        return cells, where.astype(np.int32)
    index = np.empty(len(lat_e7), np.int32)
    lows = range(0, len(lat_e7), _BLOCK)
    named: dict[int, int] = {-1: 0}

    def block(low: int) -> NDArray[np.uint64]:
        part = slice(low, low + _BLOCK)
        rows, where = few_points(point_keys(lat_e7[part], lon_e7[part]))
        lat, lon = lat_e7[part][rows], lon_e7[part][rows]
        located = lat != NO_PLACE
        numbers = np.full(len(lat), -1, np.int64)
        numbers[located] = hexagons(lat[located] / E7, lon[located] / E7, resolution)
        distinct, first, place = distinct_hexagons(numbers)
        index[part] = place[where]
        for number, row in zip(distinct.tolist(), first.tolist(), strict=True):
            if number not in named:
                named[number] = int(h3.latlng_to_cell(lat[row] / E7, lon[row] / E7, resolution))
        return np.array([named[number] for number in distinct.tolist()], np.uint64)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        parts = list(threads.map(block, lows))
        cells = np.array(sorted(set(named.values())), np.uint64)

        def place_in_all(low: int) -> None:
            part = slice(low, low + _BLOCK)
            index[part] = np.searchsorted(cells, parts[low // _BLOCK]).astype(np.int32)[index[part]]

        list(threads.map(place_in_all, lows))
    if not (index == 0).any():  # every point has a place
        return cells[1:], index - np.int32(1)
    return cells, index


def few_points(points: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Fewer rows that hold every point, where points repeat.

    Parameters
    ----------
    points : (N,) int64, `point_keys`

    Returns
    -------
    rows : (R,) rows that hold every distinct point, a few of them more than once
    where : (N,) for each row the index in `rows` of one with the same point

    Notes
    -----
    A table with one slot for each hash keeps the last row that fell into it, and no sort is needed; a row whose
    slot holds another point stands for itself.
    """
    slot = (points.view(np.uint64) * _GOLDEN) >> np.uint64(64 - _SLOT_BITS)
    row = np.arange(len(points), dtype=np.int32)
    table = np.empty(1 << _SLOT_BITS, np.int32)
    table[slot] = row
    shown = table[slot]
    shown = np.where(points[shown] == points, shown, row)
    rows = np.flatnonzero(shown == row)
    table = np.empty(len(points), np.int32)
    table[rows] = np.arange(len(rows), dtype=np.int32)
    return rows, table[shown]


def parents(cells: NDArray[np.uint64], resolution: int) -> NDArray[np.uint64]:
    """(P,) the ancestors of H3 cells at a coarser (or equal) resolution; 0 stays 0.

    Notes
    -----
    As `h3.cell_to_parent`: the resolution in bits 52–55 is replaced and the finer digits (3 bits each) are set
    (H3 index bit layout, https://h3geo.org/docs/core-library/h3Indexing).
    """
    unused = np.uint64((1 << 3 * (15 - resolution)) - 1)
    found = (cells & np.uint64(~(15 << 52) & (2**64 - 1))) | np.uint64(resolution << 52) | unused
    return np.where(cells == 0, np.uint64(0), found)


def cell_name(cell: int) -> str:
    """The usual text of an H3 cell: lower-case hexadecimal."""
    return format(cell, "x")


def cell_centre(name: str) -> tuple[float, float] | None:
    """Latitude and longitude (degrees) of the middle of a cell by its text; None for what is no H3 cell.

    Examples
    --------
    >>> [round(degrees, 2) for degrees in cell_centre("861fb4667ffffff")]
    [48.88, 2.37]
    """
    try:
        cell = int(name, 16)
    except ValueError:
        return None
    if not 0 < cell < 1 << 64 or not h3.is_valid_cell(cell):
        return None
    latitude, longitude = h3.cell_to_latlng(cell)
    return float(latitude), float(longitude)


def cell_codes(cells: NDArray[np.uint64], vocabulary: Vocabulary) -> NDArray[np.int32]:
    """(P,) codes of cells: 0 for no place, 1 for a cell that training never saw."""
    distinct, index = np.unique(cells, return_inverse=True)
    code_of = vocabulary.code_of
    codes = [code_of.get(cell_name(cell), 1) if cell else 0 for cell in distinct.tolist()]
    return np.array(codes, np.int32)[index]


def haversine_km(
    lat_a: NDArray[np.float64], lon_a: NDArray[np.float64], lat_b: NDArray[np.float64], lon_b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Great-circle distance between points in degrees, element by element, km (0 .. 20 015).

    Exact across the antimeridian and at the poles (R. W. Sinnott, Virtues of the Haversine, 1984).
    """
    phi_a, phi_b = np.radians(lat_a), np.radians(lat_b)
    half_lat, half_lon = (phi_b - phi_a) / 2, np.radians(lon_b - lon_a) / 2
    chord = np.sin(half_lat) ** 2 + np.cos(phi_a) * np.cos(phi_b) * np.sin(half_lon) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(chord, 1.0))))


def travel(
    lat_e7: NDArray[np.int32],
    lon_e7: NDArray[np.int32],
    time_s: NDArray[np.int64],
    start: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distance and speed since the user's previous located event.

    Parameters
    ----------
    lat_e7, lon_e7 : (N,) int32 1e-7 degrees
    time_s : (N,) int64 UTC seconds
    start : (N,) int32 row of the user's first event

    Returns
    -------
    distance_km : (N,) float32, NaN where this event or every earlier one has no place
    speed_kmh : (N,) float32, likewise; times closer than one second count as one second
    """
    row = np.arange(len(time_s), dtype=np.int32)
    located = lat_e7 != NO_PLACE
    previous = np.full(len(row), -1, np.int32)
    if located.all():
        previous[1:] = row[:-1]
    else:
        previous[1:] = np.maximum.accumulate(np.where(located, row, -1))[:-1]
    now = np.flatnonzero(located & (previous >= start))
    before = previous[now]
    distance_km = np.full(len(row), np.nan, np.float32)
    speed_kmh = np.full(len(row), np.nan, np.float32)
    km = haversine_km(lat_e7[before] / E7, lon_e7[before] / E7, lat_e7[now] / E7, lon_e7[now] / E7)
    hours = np.maximum(time_s[now] - time_s[before], 1) / 3600
    distance_km[now], speed_kmh[now] = km, km / hours
    return distance_km, speed_kmh


def expected_place(
    weight: NDArray[np.floating], latitude: NDArray[np.floating], longitude: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre of weighted points: the mean on the sphere of where the weight lies.

    Parameters
    ----------
    weight : (B, V) not negative
    latitude, longitude : (V,) degrees; a point without a place (NaN) has no weight

    Returns
    -------
    (B,) degrees each; NaN where no weight lies anywhere.

    Examples
    --------
    >>> lat, lon = expected_place(np.array([[0.5, 0.5]]), np.array([0.0, 0.0]), np.array([10.0, 30.0]))
    >>> round(float(lat[0]), 6), round(float(lon[0]), 6)
    (0.0, 20.0)
    """
    there = ~(np.isnan(latitude) | np.isnan(longitude))
    lat, lon = (np.radians(np.asarray(axis, np.float64)[there]) for axis in (latitude, longitude))
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)  # (P, 3)
    x, y, z = (np.asarray(weight, np.float64)[:, there] @ points).T
    nowhere = x**2 + y**2 + z**2 == 0
    found = np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))
    return np.where(nowhere, np.nan, found[0]), np.where(nowhere, np.nan, found[1])

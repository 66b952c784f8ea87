"""Counts of events per H3 cell and period, complete: a cell without events in a period stands there with a zero.

Never here: any statistic of a surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from h3.api import basic_int as h3
from numpy.typing import NDArray
from scipy import sparse

from components.errors import DataError
from components.evolution.log import HOURS_OF_WEEK, Log
from components.features.time import DAY_S, HOUR_S

Matrix: TypeAlias = sparse.csr_array


@dataclass(frozen=True)
class Surface:
    """Events of C cells in T periods.

    Attributes
    ----------
    cells : (C,) uint64 H3 cells, ascending
    starts_s : (T+1,) where periods begin, seconds since 1970 on the local clock, or in UTC where asked so; the last one
        is the end
    counts : (T, C) events
    neighbours : (C, C) 1 where two cells touch, 0 on the diagonal
    """

    cells: NDArray[np.uint64]
    starts_s: NDArray[np.int64]
    counts: NDArray[np.int64]
    neighbours: Matrix


def surface(
    log: Log,
    resolution: int,
    period_s: int,
    around: int,
    *,
    utc: bool = False,
    only: NDArray[np.uint64] | None = None,
) -> Surface:
    """Count located events per cell and period.

    Parameters
    ----------
    log : Log
    resolution : H3 resolution, 0..15; an edge of 8 is 0.53 km, of 7 1.4 km
    period_s : length of a period, s: of a day or a multiple of it, whole local days; else from the first event on
    around : how many rings of cells around those with events belong to the surface; 0: only cells that ever had one
    utc : periods of the clock that all places share, without its jumps in spring and autumn; else of local clocks
    only : cells, ascending, to count in place of all: of a year's hours and twenty thousand cells there is no room

    Returns
    -------
    Surface
        Whole periods only: what is left at the end of the log is not counted, as it would look like a decline. The
        day of the last event counts as whole.

    Raises
    ------
    DataError
        No event has a place, or the log is shorter than a period.
    """
    cells, index = log.cells(resolution)
    located = index >= 0
    if not located.any():
        raise DataError(
            "events with latitude and longitude",
            found="none in the log",
            do="Leave the analysis of space out, or bring coordinates with the source.",
        )
    time_s = (log.time_s if utc else log.local_s)[located]
    first, last = int(time_s.min()), int(time_s.max())
    grain = min(period_s, DAY_S)
    first, end = first - first % grain, last - last % grain + grain  # logs come in whole days
    n = (end - first) // period_s
    if n < 1:
        raise DataError(
            f"a log of at least one period of {period_s / DAY_S:g} days",
            found=f"{(end - first) / DAY_S:g} days",
            do="Choose a shorter period.",
        )
    whole = _with_rings(cells, around) if only is None else only
    place, counted = np.searchsorted(whole, cells), np.isin(cells, whole)[index[located]]
    at = (time_s - first) // period_s
    inside = (at < n) & counted
    key = at[inside] * len(whole) + place[index[located][inside]]
    counts = np.bincount(key, minlength=n * len(whole)).reshape(n, len(whole))
    return Surface(whole, first + period_s * np.arange(n + 1), counts, neighbours_of(whole, 1))


def hours_of_week(log: Log, found: Surface, resolution: int, columns: NDArray[np.integer]) -> NDArray[np.int64]:
    """(T, K) local hour of the week, 0 = Monday 00:00, of each UTC period in K cells of a surface.

    The clock of a cell is that of its latest event before the end of the period; of its first one before that.

    Parameters
    ----------
    log : Log
    found : of `surface(log, resolution, ..., utc=True)`
    resolution : H3 resolution of its cells
    columns : (K,) of cells that have events
    """
    cells, index = log.cells(resolution)
    hours = np.empty((len(found.counts), len(columns)), np.int64)
    for place, column in enumerate(columns):
        rows = np.flatnonzero(index == np.searchsorted(cells, found.cells[column]))
        rows = rows[np.argsort(log.time_s[rows], kind="stable")]
        latest = np.maximum(np.searchsorted(log.time_s[rows], found.starts_s[1:], side="left") - 1, 0)
        local_s = found.starts_s[:-1] + (log.local_s - log.time_s)[rows[latest]]
        hours[:, place] = (local_s // HOUR_S + 3 * 24) % HOURS_OF_WEEK  # 1970-01-01 was a Thursday
    return hours


def neighbours_of(cells: NDArray[np.uint64], rings: int) -> Matrix:
    """(C, C) 1 where a cell lies within so many rings of another, 0 on the diagonal.

    Parameters
    ----------
    cells : (C,) H3 cells of one resolution, ascending
    rings : 1 = cells that touch
    """
    disks = [h3.grid_disk(int(cell), rings) for cell in cells]
    other = np.fromiter((one for disk in disks for one in disk), np.uint64)
    row = np.repeat(np.arange(len(cells)), [len(disk) for disk in disks])
    column = np.minimum(np.searchsorted(cells, other), len(cells) - 1)
    there = (cells[column] == other) & (column != row)
    ones = np.ones(int(there.sum()))
    return sparse.csr_array((ones, (row[there], column[there])), shape=(len(cells), len(cells)))


def _with_rings(cells: NDArray[np.uint64], around: int) -> NDArray[np.uint64]:
    if around == 0:
        return cells
    every = {one for cell in cells for one in h3.grid_disk(int(cell), around)}
    return np.array(sorted(every), np.uint64)

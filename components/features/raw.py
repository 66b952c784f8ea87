"""Events of complete users as compact sorted arrays: what every feature is computed from.

`gather` makes them of a table or a Parquet file, one column at a time, so that the strings of ten million events
are never in memory together; `components.features.pack` makes them of the plain lists of a live request.
Rows are sorted by (user, timestamp, source_seq, event_key); where all are equal, the order given stands.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import SchemaError
from components.features import place
from components.features.group import dictionary, group
from components.features.store import WINDOWS
from components.features.time import NO_ID, NO_OFFSET, OTHER_ID, SAME_ID

#: Reads one column of the events, None where the events have no such column.
Reader = Callable[[str], pl.Series | None]
_BLOCK = 1 << 18
_BY_EVENT = (
    *("time_s", "item", "action", "device", "cell", "lat_e7", "lon_e7"),
    *("utc_offset_min", "duration_s", "value", "link", "window"),
)
_REQUIRED = ("user_id", "item_id", "action", "timestamp")


@dataclass(frozen=True)
class Raw:
    """N events of U complete users.

    Attributes
    ----------
    users : (U,) ids, ascending
    offsets : (U+1,) int64; user u owns the rows offsets[u]:offsets[u+1]
    items, actions, devices : distinct ids, by the index that the columns hold
    cells : (C,) uint64 distinct H3 cells of the finest resolution, 0 = no place
    time_s : (N,) int64 UTC seconds
    item, action, device : (N,) int32 index, -1 = none
    cell : (N,) int32 index into `cells`
    lat_e7, lon_e7 : (N,) int32 1e-7 degrees, place.NO_PLACE = none
    utc_offset_min : (N,) int16 minutes, time.NO_OFFSET = none
    duration_s, value : (N,) float32, NaN = none
    link : (N,) int8 how the source's session id relates to the previous event's (features.time)
    window : (N,) int8 code of WINDOWS that the source gave, or None
    """

    users: Sequence[str]
    offsets: NDArray[np.int64]
    items: Sequence[str]
    actions: Sequence[str]
    devices: Sequence[str]
    cells: NDArray[np.uint64]
    time_s: NDArray[np.int64]
    item: NDArray[np.int32]
    action: NDArray[np.int32]
    device: NDArray[np.int32]
    cell: NDArray[np.int32]
    lat_e7: NDArray[np.int32]
    lon_e7: NDArray[np.int32]
    utc_offset_min: NDArray[np.int16]
    duration_s: NDArray[np.float32]
    value: NDArray[np.float32]
    link: NDArray[np.int8]
    window: NDArray[np.int8] | None

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def start(self) -> NDArray[np.int32]:
        """(N,) row of the first event of the event's user."""
        return np.repeat(self.offsets[:-1].astype(np.int32), np.diff(self.offsets))

    @property
    def first(self) -> NDArray[np.bool_]:
        """(N,) whether the event is its user's first."""
        return first_rows(self.offsets)

    def part(self, low: int, high: int) -> Raw:
        """The users low:high; columns are views."""
        rows = slice(int(self.offsets[low]), int(self.offsets[high]))
        return self._with(self.users[low:high], self.offsets[low : high + 1] - self.offsets[low], rows)

    def only(self, chosen: NDArray[np.bool_]) -> Raw:
        """The users where `chosen` (U,)."""
        counts = np.diff(self.offsets)
        users = [self.users[u] for u in np.flatnonzero(chosen).tolist()]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[chosen])])
        return self._with(users, offsets, np.repeat(chosen, counts))

    def _with(self, users: Sequence[str], offsets: NDArray[np.int64], rows: slice | NDArray[np.bool_]) -> Raw:
        columns: dict[str, Any] = {
            name: None if (column := getattr(self, name)) is None else column[rows] for name in _BY_EVENT
        }
        return replace(self, users=users, offsets=offsets, **columns)


def first_rows(offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether each row is the first of its user."""
    first = np.zeros(int(offsets[-1]), bool)
    first[offsets[:-1][np.diff(offsets) > 0]] = True
    return first


def gather(read: Reader, resolution: int | None) -> Raw:
    """Sort and compact events.

    Parameters
    ----------
    read : Reader
        Columns of the event contract; a column `window` (names of WINDOWS) may give each event's window.
    resolution : int or None
        The finest H3 resolution; None: no cells.

    Raises
    ------
    SchemaError
        A required column is missing.
    """
    row, offsets, users = group(_needed(read, "user_id"))
    time_us = _needed(read, "timestamp").dt.cast_time_unit("us").to_physical().to_numpy()
    row = _in_order(row, offsets, time_us, read)
    time_s = take(time_us, row) // 1_000_000
    del time_us

    def coded(name: str) -> tuple[NDArray[np.int32], list[str]]:
        column = read(name) if name == "device" else _needed(read, name)
        if column is None:
            return np.full(len(row), -1, np.int32), []
        codes, names = dictionary(column.cast(pl.String))
        return take(codes, row), names

    def number(name: str) -> NDArray[np.float32]:
        return take(_floats(read(name), len(row)).astype(np.float32), row)

    def degrees(name: str) -> NDArray[np.int32]:
        return take(_e7(_floats(read(name), len(row))), row)

    first = first_rows(offsets)
    with ThreadPoolExecutor(2) as threads:  # two columns at a time: one is read while the other is coded
        ids = [threads.submit(coded, name) for name in ("item_id", "action", "device")]
        link_later = threads.submit(lambda: _links(read("session_id"), row, first))
        places = [threads.submit(degrees, name) for name in ("latitude", "longitude")]
        numbers = [threads.submit(number, name) for name in ("duration_s", "value")]
        (item, items), (action, actions), (device, devices) = (one.result() for one in ids)
        lat_e7, lon_e7 = (one.result() for one in places)
        cells, cell = cells_at(lat_e7, lon_e7, resolution)
        duration_s, value = (one.result() for one in numbers)
        link = link_later.result()
    offset, window = read("utc_offset_min"), read("window")
    return Raw(
        users=users,
        offsets=offsets,
        items=items,
        actions=actions,
        devices=devices,
        cells=cells,
        time_s=time_s,
        item=item,
        action=action,
        device=device,
        cell=cell,
        lat_e7=lat_e7,
        lon_e7=lon_e7,
        utc_offset_min=(
            np.full(len(row), NO_OFFSET, np.int16)
            if offset is None
            else take(offset.cast(pl.Int16).fill_null(NO_OFFSET).to_numpy(), row)
        ),
        duration_s=duration_s,
        value=value,
        link=link,
        window=None if window is None else take(_windows(window), row),
    )


def cells_at(
    lat_e7: NDArray[np.int32], lon_e7: NDArray[np.int32], resolution: int | None
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """`place.cells_of`, or no cells at all where there is no resolution."""
    if resolution is None:
        return np.zeros(1, np.uint64), np.zeros(len(lat_e7), np.int32)
    return place.cells_of(lat_e7, lon_e7, resolution)


def take(column: NDArray, row: NDArray[np.uint32]) -> NDArray:
    """(N,) column[row], block by block on every core: numpy would first copy all indices to 64 bits."""
    out = np.empty(len(row), column.dtype)

    def one(low: int) -> None:
        part = slice(low, low + _BLOCK)
        np.take(column, row[part], out=out[part], mode="clip")

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        list(threads.map(one, range(0, len(row), _BLOCK)))
    return out


def _e7(degrees: NDArray[np.float64]) -> NDArray[np.int32]:
    """(N,) `place.to_e7`, block by block."""
    out = np.empty(len(degrees), np.int32)
    for low in range(0, len(degrees), _BLOCK):
        out[low : low + _BLOCK] = place.to_e7(degrees[low : low + _BLOCK])
    return out


def _needed(read: Reader, name: str) -> pl.Series:
    column = read(name)
    if column is None:
        raise SchemaError(
            f"the event columns {', '.join(_REQUIRED)}", found=f"none named {name!r}", do="Validate the events first."
        )
    return column


def _floats(series: pl.Series | None, n: int) -> NDArray[np.float64]:
    if series is None:
        return np.full(n, np.nan)
    return series.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _in_order(
    row: NDArray[np.uint32], offsets: NDArray[np.int64], time_us: NDArray[np.int64], read: Reader
) -> NDArray[np.uint32]:
    """(N,) the rows of each user sorted by (timestamp, source_seq, event_key).

    Parameters
    ----------
    row : (N,) rows grouped by user, in their own order within a user
    offsets : (U+1,) where each user's rows begin

    Notes
    -----
    Day files come in the order of time, so nothing is left to do nearly always: that is checked, and only
    a log in another order is sorted.
    """
    same = ~first_rows(offsets)[1:]  # whether a row's successor is of the same user and equal so far
    behind = np.zeros(len(same), bool)  # pairs in the wrong order
    columns = [time_us]
    for name in ("timestamp", "source_seq", "event_key"):
        if name != "timestamp":
            series = read(name)
            if series is None:
                continue
            columns.append(_ordered(series))
        column = take(columns[-1], row)
        behind |= same & (column[1:] < column[:-1])
        same &= column[1:] == column[:-1]
        if not same.any():
            break
    if not behind.any():
        return row
    names = ("source_seq", "event_key")
    columns = [time_us, *(_ordered(series) for name in names if (series := read(name)) is not None)]
    user = np.repeat(np.arange(len(offsets) - 1, dtype=np.uint32), np.diff(offsets))
    table = pl.DataFrame({"user": user} | {str(i): take(column, row) for i, column in enumerate(columns)})
    return row[table.select(pl.arg_sort_by(*table.columns, maintain_order=True)).to_series().to_numpy()]


def _ordered(series: pl.Series) -> NDArray:
    """A column as integers in its own order; null comes first, as polars sorts it."""
    physical = series.to_physical()
    if not physical.null_count():
        return physical.to_numpy()
    return physical.rank("dense").fill_null(0).to_numpy()


def _links(series: pl.Series | None, row: NDArray[np.uint32], first: NDArray[np.bool_]) -> NDArray[np.int8]:
    link = np.full(len(row), NO_ID, np.int8)
    if series is None or series.null_count() == len(series) or len(row) < 2:
        return link
    names = series.cast(pl.String).gather(row)
    before = names.shift(1)
    differ = names.ne_missing(before).to_numpy()
    blank = (names.is_null() & before.is_null()).to_numpy()
    link[:] = np.where(blank, NO_ID, np.where(differ, OTHER_ID, SAME_ID))
    link[first] = NO_ID
    return link


def _windows(series: pl.Series) -> NDArray[np.int8]:
    if series.dtype == pl.String:
        series = series.replace_strict(WINDOWS, return_dtype=pl.Int8)
    return series.cast(pl.Int8).fill_null(WINDOWS["rest"]).to_numpy()

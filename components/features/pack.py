"""Packs events into a Store with a fitted Encoding: `pack` a table, `pack_history` (`pack_histories`) plain records.

All make a `Raw` of complete users, and `features.kernel` does the rest, so a row is the same either way. Nothing
here learns: what training saw is in the Encoding.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.features import place
from components.features.encoding import Encoding
from components.features.fit import gather_frame
from components.features.kernel import Tables, kernel, pack_rows
from components.features.raw import Raw, cells_at
from components.features.store import WINDOWS, Store, layout
from components.features.time import NO_ID, NO_OFFSET, OTHER_ID, SAME_ID
from components.features.windows import Split, divide
from components.params import Params


def pack(events: pl.DataFrame, encoding: Encoding, params: Params, windows: Split | None = None) -> Store:
    """Pack a table of events.

    Parameters
    ----------
    events : pl.DataFrame
        (N, any) columns of the event contract, in any order.
    encoding : Encoding
        Fitted; also says how features are computed, whatever `params` has become since.
    params : Params
        Only `windows` is read.
    windows : Split, optional
        How to divide the log; without it every event is history only (window "rest").

    Returns
    -------
    Store

    Raises
    ------
    SchemaError
        A required column is missing.
    DataError
        A window that should hold events is empty.
    """
    raw = gather_frame(events, _finest(encoding))
    found = None
    if windows is not None:
        found = divide(raw, params.windows, windows, int(encoding.settings["session_gap_s"]))  # type: ignore[call-overload]
    return pack_raw(raw, encoding, found)


def _finest(encoding: Encoding) -> int | None:
    resolutions: Sequence[int] = encoding.settings["cells"]  # type: ignore[assignment]
    return max(resolutions, default=None)


def pack_raw(raw: Raw, encoding: Encoding, windows: tuple[NDArray[np.int8], NDArray[np.bool_]] | None = None) -> Store:
    """The Store, in memory, of events already gathered; `windows` are codes and targets, (N,) each."""
    n = len(raw)
    window, target = windows or (np.full(n, WINDOWS["rest"], np.int8), np.zeros(n, bool))
    columns = _empty(n, encoding)

    def put(row: int, block: Mapping[str, NDArray]) -> None:
        for name, values in block.items():
            columns[name][row : row + len(values)] = values

    pack_rows(raw, encoding, put)
    columns |= {"window": window, "target": target}
    return _store(list(raw.users), raw.offsets, columns, encoding)


def _empty(n: int, encoding: Encoding) -> dict[str, NDArray]:
    columns: dict[str, NDArray] = {name: np.empty(n, dtype) for name, dtype in layout(encoding).items()}
    return columns | {"numbers": np.empty((n, len(encoding.scales)), np.float32), "missing": np.empty(n, np.uint16)}


def _store(users: list[str], offsets: NDArray[np.int64], columns: dict[str, NDArray], encoding: Encoding) -> Store:
    numbers, missing = columns.pop("numbers"), columns.pop("missing")
    ids = np.empty(len(users), dtype=object)
    ids[:] = users
    return Store(ids, offsets, columns, numbers, missing, encoding)


def pack_history(history: Sequence[Mapping[str, Any]], encoding: Encoding, *, user_id: str) -> Store:
    """Pack one user's events: the rows are those that `pack` gives the same events within the whole log.

    Parameters
    ----------
    history : sequence of mappings
        Columns of the event contract by name, already checked; `timestamp` is an aware datetime or UTC
        microseconds since 1970, and `item_id`, `action` are there; anything else may be absent or None. Sorted
        here; equal times keep the order given.
    encoding : Encoding
    user_id : str

    Returns
    -------
    Store
        One user, all events in the window "rest"; no events give an empty history.
    """
    return pack_histories([(user_id, history)], encoding)


def pack_histories(histories: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], encoding: Encoding) -> Store:
    """Pack the events of some users at once, each as `pack_history` does; users keep the order given."""
    given = [event for _, history in histories for event in history]
    lengths = [len(history) for _, history in histories]
    times = _micros([event["timestamp"] for event in given])
    order = np.lexsort((times, np.repeat(np.arange(len(lengths)), lengths)))  # stable
    events = [given[row] for row in order.tolist()]
    present = frozenset().union(*events)
    n, offsets = len(events), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    def column(name: str) -> list[Any] | None:
        return [event.get(name) for event in events] if name in present else None

    lat_e7, lon_e7 = (place.to_e7(_floats(column(name), n)) for name in ("latitude", "longitude"))
    cells, cell = cells_at(lat_e7, lon_e7, _finest(encoding))
    items, actions, devices = (_index(column(name), n) for name in ("item_id", "action", "device"))
    users = [user_id for user_id, _ in histories]
    raw = Raw(
        users=users,
        offsets=offsets,
        items=items[1],
        actions=actions[1],
        devices=devices[1],
        cells=cells,
        time_s=times[order] // 1_000_000,
        item=items[0],
        action=actions[0],
        device=devices[0],
        cell=cell,
        lat_e7=lat_e7,
        lon_e7=lon_e7,
        utc_offset_min=_offsets(column("utc_offset_min"), n),
        duration_s=_singles(column("duration_s"), n),
        value=_singles(column("value"), n),
        link=_links(column("session_id"), offsets),
        window=None,
    )
    columns = kernel(raw, Tables.of(raw, encoding), encoding)
    columns |= {"window": np.full(n, WINDOWS["rest"], np.int8), "target": np.zeros(n, bool)}
    return _store(users, offsets, columns, encoding)


def _micros(moments: list[dt.datetime] | list[int]) -> NDArray[np.int64]:
    if any(isinstance(moment, dt.datetime) for moment in moments):
        seconds = [moment.timestamp() if isinstance(moment, dt.datetime) else moment / 1e6 for moment in moments]
        return np.rint(np.array(seconds) * 1e6).astype(np.int64)  # exact: a double holds microseconds until 2255
    return np.array(moments, np.int64)


def _floats(column: list[float | None] | None, n: int) -> NDArray[np.float64]:
    return np.full(n, np.nan) if column is None else np.array(column, np.float64)  # None becomes NaN


def _singles(column: list[float | None] | None, n: int) -> NDArray[np.float32]:
    """With 32 bits; what they cannot hold is the most that they can, since infinity is no feature."""
    most = float(np.finfo(np.float32).max)
    return np.clip(_floats(column, n), -most, most).astype(np.float32)


def _offsets(column: list[int | None] | None, n: int) -> NDArray[np.int16]:
    if column is None:
        return np.full(n, NO_OFFSET, np.int16)
    return np.array([NO_OFFSET if minutes is None else minutes for minutes in column], np.int16)


def _index(column: list[Any] | None, n: int) -> tuple[NDArray[np.int32], list[str]]:
    """(n,) index of each event's value among the returned ones (with repetitions: they are few), -1 = none."""
    if column is None:
        return np.full(n, -1, np.int32), []
    index = np.arange(n, dtype=np.int32)
    if None in column:
        index[[value is None for value in column]] = -1
    return index, column


def _links(column: list[Any] | None, offsets: NDArray[np.int64]) -> NDArray[np.int8]:
    n = int(offsets[-1])
    if column is None or not n:
        return np.full(n, NO_ID, np.int8)
    told = [NO_ID if a is None and b is None else SAME_ID if a == b else OTHER_ID for a, b in pairwise(column)]
    link = np.array([NO_ID, *told], np.int8)
    link[offsets[:-1][np.diff(offsets) > 0]] = NO_ID  # nobody goes on where another ended
    return link

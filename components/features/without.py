"""Histories without some of their events, as if these had never happened: for asking what an event was worth.

What an event measures against the one before it (gap, distance, speed, session) is measured anew where that one is
gone, so that a variant is what `features.pack` would make of the shorter log; everything else is gathered as it is.
(Places are those of the store, rounded to single precision: new distances are exact to a few metres.) Nothing here
learns, and nothing of what others did is taken back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.features.context import scaled, transform
from components.features.encoding import Encoding
from components.features.place import to_e7, travel
from components.features.store import Store

_MEASURED = ("gap_s", "distance_km", "speed_kmh")


def without(store: Store, user: int, start: int, stop: int, keep: NDArray[np.bool_]) -> Store:
    """V variants of one history, as V users of a small store.

    Parameters
    ----------
    store : holds the history
    user : row of whose it is; all variants have their id, by which some predictors know them
    start, stop : its rows, start:stop
    keep : (V, n) which of the n = stop - start events each variant has

    Returns
    -------
    Store
        User v is variant v; its events are in the order of the history.

    Examples
    --------
    `without(store, user, a, b, ~np.eye(b - a, dtype=bool))` leaves out each event once.
    """
    event = np.nonzero(keep)[1]
    row = start + event
    offsets = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int64)
    columns: dict[str, NDArray] = {name: np.asarray(column[row]) for name, column in store.columns.items()}
    numbers, missing = np.array(store.numbers[row]), np.array(store.missing[row])
    first = offsets[:-1][np.diff(offsets) > 0]
    begin = np.repeat(offsets[:-1], np.diff(offsets)).astype(np.int32)
    cut = _cut(event, first)
    if cut.any():
        whole = np.asarray(store["session"][start:stop]), np.asarray(store["gap_s"][start:stop])
        columns["gap_s"] = np.where(cut, _gaps(columns["time_s"], first, store.encoding), columns["gap_s"])
        columns["session"] = _sessions(columns, cut, begin, whole, store.encoding)
        moved = cut | _moved(columns, event, first)
        latitude, longitude = (to_e7(np.asarray(columns[name], np.float64)) for name in ("latitude", "longitude"))
        km, kmh = travel(latitude, longitude, columns["time_s"], begin)
        columns["distance_km"] = np.where(moved, km, columns["distance_km"])
        fresh = {"gap_s": _known(columns["gap_s"], store.encoding), "distance_km": km, "speed_kmh": kmh}
        if store.encoding.settings["time_kind"] != "real":
            fresh["speed_kmh"] = np.full_like(kmh, np.nan)
        _measure(numbers, missing, fresh, {"gap_s": cut, "distance_km": moved, "speed_kmh": moved}, store.encoding)
        _hold(numbers, missing, begin, store.encoding)
    users = np.full(len(keep), store.users[user], dtype=object)
    return Store(users, offsets, columns, numbers, missing, store.encoding)


def _cut(event: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether the event before each is not the one that it had."""
    cut = np.ones(len(event), bool)
    cut[1:] = np.diff(event) != 1
    cut[first] = event[first] > 0
    return cut


def _gaps(time_s: NDArray, first: NDArray[np.int64], encoding: Encoding) -> NDArray[np.int64]:
    gap_s = np.diff(time_s, prepend=time_s[:1])
    if encoding.settings["time_kind"] == "ordinal":
        gap_s[:] = 0
    gap_s[first] = -1
    return gap_s


def _known(gap_s: NDArray[np.int64], encoding: Encoding) -> NDArray[np.float32]:
    unknown = (gap_s < 0) | (encoding.settings["time_kind"] == "ordinal")
    return np.where(unknown, np.nan, gap_s).astype(np.float32)


def _sessions(
    columns: dict[str, NDArray],
    cut: NDArray[np.bool_],
    begin: NDArray[np.int32],
    whole: tuple[NDArray, NDArray],
    encoding: Encoding,
) -> NDArray[np.int32]:
    """(N,) sessions: where they ended, and, unless the source names them, where the pause is now too long."""
    limit_s = int(encoding.settings["session_gap_s"])  # type: ignore[call-overload]
    session, gap_s = whole
    named = bool(((np.diff(session) == 0) & (gap_s[1:] > limit_s)).any())
    fresh = np.zeros(len(cut), bool)
    fresh[1:] = np.diff(columns["session"]) != 0
    if not named:
        fresh |= cut & (columns["gap_s"] > limit_s)
    count = np.cumsum(fresh, dtype=np.int32)
    return count - count[begin]


def _moved(columns: dict[str, NDArray], event: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether an event was left out since the last located one: the journey to this one is another."""
    located = ~np.isnan(columns["latitude"]) & ~np.isnan(columns["longitude"])
    opened = np.zeros(len(event), bool)
    opened[first] = True
    left_out = np.concatenate([[0], np.diff(event) - 1])
    left_out[first] = event[first]
    total = np.cumsum(left_out)
    # What was left out up to the latest event before this one that has a place, or before the variant's first event.
    mark = np.where(located, total, -1)
    before = np.concatenate([[-1], mark[:-1]])
    before[opened] = total[opened] - left_out[opened]
    return np.asarray(total > np.maximum.accumulate(before))


def _measure(
    numbers: NDArray[np.float32],
    missing: NDArray[np.uint16],
    fresh: dict[str, NDArray[np.float32]],
    where: dict[str, NDArray[np.bool_]],
    encoding: Encoding,
) -> None:
    """Put the new measures, scaled as in training, into `numbers` and `missing`."""
    for f, (name, scale) in enumerate(encoding.scales.items()):
        if name in _MEASURED:
            alone = np.arange(len(missing), dtype=np.int32)  # each its own user: what is missing is filled, not held
            values, absent = scaled([fresh[name]], [scale], alone)
            numbers[:, f] = np.where(where[name], values[:, 0], numbers[:, f])
            bit = np.uint16(1 << f)
            missing[:] = np.where(where[name], (missing & ~bit) | (absent << np.uint16(f)), missing)


def _hold(
    numbers: NDArray[np.float32], missing: NDArray[np.uint16], begin: NDArray[np.int32], encoding: Encoding
) -> None:
    """Numbers that are filled with the user's last known value are filled from what the variant still has."""
    row = np.arange(len(missing), dtype=np.int32)
    for f, scale in enumerate(encoding.scales.values()):
        if scale.params.fill.rule != "interpolate" or not len(row):
            continue
        absent = (missing >> np.uint16(f) & np.uint16(1)).astype(bool)
        source = np.maximum.accumulate(np.where(absent, -1, row))
        filled = transform(np.array([scale.fill], np.float32), scale.params.scale)
        fill = (filled[0] - np.float32(scale.centre)) * np.float32(1 / scale.spread)
        held = np.where(source >= begin, numbers[np.maximum(source, 0), f], fill)
        numbers[:, f] = np.where(absent, held, numbers[:, f])

"""Histories that end with the training window, as a store of their own: what `history: train_only` shows.

Published protocols let a model see training events and the answer's own trajectory, and nothing between. A history
is a slice of a store, so the events between are taken out by writing the visible ones side by side, once for each
(user, session) that is asked about. Nothing here knows what will be asked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.features.context import scaled
from components.features.store import WINDOWS, Store

#: Numbers that speak of the previous event; unknown where that event was taken out.
_TO_PREVIOUS = ("gap_s", "distance_km", "speed_kmh")


def train_and_own_session(
    store: Store, rows: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[Store, NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Visible histories of the answers at `rows`, each cut before row `stop`.

    Parameters
    ----------
    store : the whole log
    rows : (Q,) rows of the answers
    stop : (Q,) the first row of each answer's user that is not visible

    Returns
    -------
    Store
        One "user" for each (user, session) of the answers, under the user's own id: the training events, then
        the session's own. Gap, distance and speed of an event whose predecessor was taken out are measured from
        the event that now precedes it, or are missing where that takes the raw log.
    (Q,) user, (Q,) start and (Q,) stop
        Where each answer's history lies in that store.
    """
    user = store.user[rows].astype(np.int64)
    session = np.asarray(store["session"])
    new = np.ones(store.n_events, bool)
    new[1:] = (np.diff(session) != 0) | (np.diff(store.user) != 0)
    run = np.cumsum(new) - 1  # (N,) the session that each row is in, over all users
    edges = np.append(np.flatnonzero(new), store.n_events)
    asked, group = np.unique(run[rows], return_inverse=True)
    owner = store.user[edges[asked]].astype(np.int64)
    training = np.asarray(store["window"]) == WINDOWS["train"]
    train_rows, other_rows = np.flatnonzero(training), np.flatnonzero(~training)
    offsets = np.asarray(store.offsets)
    a0, a1 = (np.searchsorted(train_rows, offsets[owner + one]) for one in (0, 1))
    b0, b1 = (np.searchsorted(other_rows, edges[asked + one]) for one in (0, 1))
    length = (a1 - a0) + (b1 - b0)
    ends = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    taken = np.empty(ends[-1], np.int64)
    taken[_fill(ends[:-1], a1 - a0)] = train_rows[_fill(a0, a1 - a0)]
    taken[_fill(ends[:-1] + (a1 - a0), b1 - b0)] = other_rows[_fill(b0, b1 - b0)]
    visible = _take(store, taken, ends, owner)
    before = np.searchsorted(other_rows, stop) - b0[group]
    # an answer inside the training window is preceded by the training events before it alone
    before_train = np.searchsorted(train_rows, stop) - a0[group]
    cut = np.where(before > 0, (a1 - a0)[group] + before, before_train)
    begin = ends[:-1][group]
    assert np.array_equal(owner[group], user)
    return visible, group.astype(np.int32), begin, begin + cut


def _fill(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """The concatenated ranges start[i] … start[i] + length[i] - 1."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))


def _take(store: Store, taken: NDArray[np.int64], ends: NDArray[np.int64], owner: NDArray[np.int64]) -> Store:
    columns = {name: np.asarray(column)[taken] for name, column in store.columns.items()}
    numbers, missing = np.asarray(store.numbers)[taken], np.asarray(store.missing)[taken]
    first = ends[:-1][ends[:-1] < ends[1:]]
    joined = np.flatnonzero(np.diff(taken, prepend=-2) != 1)
    joined = np.setdiff1d(joined, first)  # rows whose predecessor in the log was taken out
    time_s = columns["time_s"].astype(np.int64)
    if store.encoding.settings.get("time_kind") != "ordinal":
        columns["gap_s"][joined] = (time_s[joined] - time_s[joined - 1]).astype(columns["gap_s"].dtype)
    columns["distance_km"][joined] = np.nan
    alone = np.arange(len(joined), dtype=np.int32)
    for place, (name, scale) in enumerate(store.encoding.scales.items()):
        if name in _TO_PREVIOUS:
            known = name == "gap_s" and store.encoding.settings.get("time_kind") != "ordinal"
            value = columns["gap_s"][joined].astype(np.float32) if known else np.full(len(joined), np.nan, np.float32)
            number, absent = scaled([value], [scale], alone)
            numbers[joined, place] = number[:, 0]
            bit = np.uint16(1 << place)
            missing[joined] = (missing[joined] & ~bit) | (absent << np.uint16(place))
    return Store(store.users[owner], ends, columns, numbers, missing, store.encoding)

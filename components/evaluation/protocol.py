"""What is asked, what is visible when it is asked, and what counts as the answer.

`make_queries` turns a window into questions in time order, with the answers kept apart: a predictor is handed
`Queries` only. Nothing here looks at a score.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.evaluation.restrict import train_and_own_session
from components.features.baskets import Baskets, baskets_of
from components.features.store import Store
from components.params import EvaluationParams
from components.predictor import Queries, Window

Split = Literal["temporal", "leave_one_out", "last_of_trajectory"]


@dataclass(frozen=True)
class Protocol:
    """The rules of one judgement; every table states them.

    Attributes
    ----------
    split : how the log was cut into windows
    target_time : given: the request time is the answer's own; hidden: that of the last visible event
    history : online: everything before the request is visible; train_only: events of the training window, and
        those of the answer's own session
    seen : filtered: items of the visible history are not ranked; kept: they are
    unseen : miss: an answer that training never saw counts as a miss, unless its item has a code and a model ranks it
        by what is known of it; dropped: it is not counted
    ties : source: the log's own order; shuffled: equal times were shuffled; basket: equal times are one answer
    """

    split: Split
    target_time: Literal["hidden", "given"]
    history: Literal["online", "train_only"]
    seen: Literal["filtered", "kept"]
    unseen: Literal["miss", "dropped"]
    ties: Literal["source", "shuffled", "basket"]

    @classmethod
    def of(cls, params: EvaluationParams, split: Split = "temporal") -> Protocol:
        """The protocol that `params.evaluation` asks for."""
        return cls(split, params.target_time, params.history, params.seen, params.unseen, params.ties)

    def record(self) -> dict[str, str]:
        """The protocol as JSON."""
        return {name: str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Targets:
    """The answers to Q queries; T ≥ Q items, more than one where a basket is one answer.

    Attributes
    ----------
    row : (Q,) int64 row of the (first) answer in the window's store: names the query in every judgement
    offsets : (Q+1,) int64; the items of query q are item[offsets[q]:offsets[q+1]]
    item : (T,) int32 codes; 1 = never seen in training, 0 = the event has no item
    action : (Q,) int8 code of the (first) answer
    time_s : (Q,) int64 when it happened
    gap_s : (Q,) int64 since the last visible event; -1 = nothing was visible
    local_hour : (Q,) int8 0..23
    cell : (Q,) int32 finest cell of the (first) answer, 0 = no place; empty where the store has no cells
    latitude, longitude : (Q,) float32 degrees, NaN = no place
    """

    row: NDArray[np.int64]
    offsets: NDArray[np.int64]
    item: NDArray[np.int32]
    action: NDArray[np.int8]
    time_s: NDArray[np.int64]
    gap_s: NDArray[np.int64]
    local_hour: NDArray[np.int8]
    cell: NDArray[np.int32]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)


def make_queries(window: Window, protocol: Protocol, rows: NDArray[np.int64] | None = None) -> tuple[Queries, Targets]:
    """Questions of a window in time order, and their answers.

    Parameters
    ----------
    window : what is asked about; its `history` is overruled by the protocol's
    protocol : the rules
    rows : (q,) rows of answers, a part of `window.targets`; default: all of them

    Returns
    -------
    Queries
        Row i is asked no later than row i + 1. Visible rows end strictly before the answer's row; with hidden
        time nothing of the queries depends on the answer but which user it is.
    Targets
        Row i answers query i.
    """
    store = window.store
    targets = window.targets if rows is None else rows[np.argsort(store["time_s"][rows], kind="stable")]
    if protocol.ties == "basket":
        asked = baskets_of(store, targets)
    else:
        asked = Baskets(targets, targets, np.arange(len(targets) + 1, dtype=np.int64))
    first, stop = asked.first, asked.begin
    user = store.user[first]
    if protocol.history == "online":
        visible, start, seen_by = store, np.asarray(store.offsets)[user], user
    else:
        visible, seen_by, start, stop = train_and_own_session(store, first, stop)
    time_s, gap_s, offset = _request_clock(window, visible, first, start, stop, protocol)
    nowhere = np.full(len(first), np.nan, np.float32)
    queries = Queries(
        visible, seen_by, start, stop, time_s, offset, nowhere, nowhere.copy(), protocol.target_time == "given"
    )
    cell = finest_cell(store)
    answers = Targets(
        row=first,
        offsets=asked.offsets,
        item=np.asarray(store["item"][asked.member], np.int32),
        action=np.asarray(store["action"][first], np.int8),
        time_s=np.asarray(store["time_s"][first], np.int64),
        gap_s=gap_s,
        local_hour=np.asarray(store["local_hour"][first], np.int8),
        cell=np.asarray(store[cell][first], np.int32) if cell else np.empty(0, np.int32),
        latitude=np.asarray(store["latitude"][first], np.float32),
        longitude=np.asarray(store["longitude"][first], np.float32),
    )
    return queries, answers


def finest_cell(store: Store) -> str | None:
    """Name of the store's column of the finest cells, if it has any."""
    return store.cells[-1] if store.cells else None


def tie_share(store: Store) -> float:
    """Share of the events that follow another of the same user at the same time."""
    if store.n_events == 0:
        return 0.0
    same = np.diff(np.asarray(store["time_s"])) == 0
    return float(np.sum(same & (np.diff(store.user) == 0)) / store.n_events)


def shuffle_ties(events: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Draw the order of each user's events at equal times anew, by rewriting `source_seq`; nothing else changes.

    The order of events within a second (or a day) is often that of their ids, which a model can learn and no
    future will repeat.

    Parameters
    ----------
    events : contract columns, at least `user_id`, `timestamp` and `source_seq`
    seed : the same seed gives the same order, whatever the order of the rows

    Returns
    -------
    pl.DataFrame
        The same rows; `source_seq` is a permutation of 0 … n - 1.
    """
    stable = events.sort("timestamp", "user_id", *(["source_seq"] if "source_seq" in events.columns else []))
    draw = np.random.default_rng(seed).permutation(len(stable))
    return stable.with_columns(pl.Series("source_seq", draw, dtype=pl.Int64)).sort("timestamp", "user_id", "source_seq")


def sample_users(store: Store, rows: NDArray[np.int64], max_queries: int, seed: int) -> NDArray[np.int64]:
    """At most about `max_queries` of the rows, whole users at a time, the same users for every model.

    Users are drawn without looking at anything but their number; one whose rows do not fit any more is passed over, so
    that a single busy user does not end the sample. Where nobody fits, the first drawn keeps their newest rows.
    """
    if len(rows) <= max_queries:
        return rows
    user = store.user[rows]
    count = np.bincount(user, minlength=store.n_users)
    order = np.random.default_rng(seed).permutation(store.n_users)
    order = order[count[order] > 0]
    left, fits = max_queries, np.zeros(len(order), bool)
    for i, size in enumerate(count[order].tolist()):
        if size <= left:
            fits[i], left = True, left - size
        if not left:
            break
    if not fits.any():
        return rows[user == order[0]][-max_queries:]
    return rows[np.isin(user, order[fits])]


def _request_clock(
    window: Window,
    visible: Store,
    first: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    protocol: Protocol,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int16]]:
    """(Q,) request time, (Q,) gap of the answer since the last visible event, (Q,) offset of the local clock."""
    store = window.store
    own = np.asarray(store["time_s"], np.int64)[first]
    own_offset = np.asarray(store["utc_offset_min"], np.int16)[first]
    known = stop > start
    last = np.where(known, stop - 1, 0)
    last_s = np.asarray(visible["time_s"], np.int64)[last]
    gap_s = np.where(known, own - last_s, -1)
    if protocol.target_time == "given":
        return own, gap_s, own_offset
    events = window.events
    begin = int(store["time_s"][events[0]]) if len(events) else 0
    offset = np.asarray(visible["utc_offset_min"], np.int16)[last]
    unknown = _offset_min(str(store.encoding.settings.get("timezone", "UTC")), begin)
    return (
        np.where(known, last_s, begin).astype(np.int64),
        gap_s.astype(np.int64),
        np.where(known, offset, unknown).astype(np.int16),
    )


def _offset_min(timezone: str, time_s: int) -> int:
    moment = dt.datetime.fromtimestamp(time_s, zoneinfo.ZoneInfo(timezone))
    offset = moment.utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0

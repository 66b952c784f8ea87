"""Live events put into a user's packed history, each where its time belongs.

What the artifact holds stays as it was packed; a live event is packed by the same functions beside the few rows that it
is measured against, and lands where its time belongs. So the rows are those that packing the whole log would give, but
that (a) the artifact keeps whole seconds, and places in single precision: distances from its events are exact to a
metre, and a live event of the same second comes after them; (b) it keeps no names of sessions: a named session that
began before the model was packed ends there; (c) an event later than `value` or `duration_s` that are held over
(`interpolate`) holds the value that single precision gives back.

Never here: what a history is (`serving.histories`), where live events are kept, or what counts make of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.features.context import OUTLIER
from components.features.encoding import UNKNOWN
from components.features.pack import pack_histories
from components.features.store import Store
from components.features.time import DAY_S
from components.serving.histories import History, cut, sent_as
from components.serving.intake import tie_key
from components.serving.state.protocol import Stored
from components.serving.state.record import Record

_S = 1_000_000
#: What an event is measured by against those before it; the rest of a row is its own.
_MEASURED = ("gap_s", "distance_km", "speed_kmh")


def with_events(history: History, new: Sequence[Stored], keep: int) -> tuple[History, NDArray[np.int64]]:
    """Put live events where their time belongs.

    Parameters
    ----------
    history : of their user
    new : events that it does not hold, in any order
    keep : newest events that are kept

    Returns
    -------
    History
    (n,) int64 source
        Row of each event in the given history; -1 = it is new.
    """
    return with_all([(history, new)], keep)[0]


def with_all(grown: Sequence[tuple[History, Sequence[Stored]]], keep: int) -> list[tuple[History, NDArray[np.int64]]]:
    """`with_events` of many users of one encoding at once: packing costs a call, hardly an event."""
    plans = [_Plan.of(history, new) for history, new in grown if new]
    if not plans:
        return [(history, np.arange(len(history))) for history, _ in grown]
    packed = pack_histories([(one.user, one.events) for one in plans], plans[0].history.store.encoding)
    rows = packed.offsets.tolist()
    made = iter(
        one.done(cut(packed, start, stop, one.user), keep)
        for one, start, stop in zip(plans, rows, rows[1:], strict=False)
    )
    return [next(made) if new else (history, np.arange(len(history))) for history, new in grown]


@dataclass(frozen=True)
class _Plan:
    """Live events that are put into a history.

    Attributes
    ----------
    history : before
    merged : the same events with the new ones
    first : the first new row; before it rows and sources are the same, from there on every event is measured anew
    events : rows that are packed, plain, from a context before `first`
    lead : how many of them are that context
    """

    history: History
    merged: _Merged
    first: int
    events: list[dict[str, Any]]
    lead: int

    @property
    def user(self) -> str:
        return str(self.history.store.users[0])

    @classmethod
    def of(cls, history: History, new: Sequence[Stored]) -> _Plan:
        if len(new) > 1:
            new = sorted(new, key=lambda one: _order(one.record))
        merged = _merged(history, new)
        first = int(np.argmax(merged.source < 0))
        start = _context(history, first, int(merged.time_us[first])) if first else 0
        coming = iter(new)
        events = [history.plain(at) if at >= 0 else _plain(next(coming)) for at in merged.source[start:].tolist()]
        return cls(history, merged, first, events, first - start)

    def done(self, packed: Store, keep: int) -> tuple[History, NDArray[np.int64]]:
        """The newest `keep` events, and the row of each in the history before."""
        # Spliced also where there was nothing: rows of their own, for a view would hold all that was packed beside it.
        merged = self.merged
        store = _spliced(self.history.store, packed, merged.source, self.first, self.lead)
        known = np.flatnonzero((merged.source < 0) & (np.asarray(store["item"]) != UNKNOWN))
        for row in known.tolist():
            merged.names[row] = None
        n = len(merged.sent)
        drop = max(n - keep, 0)
        if drop:
            store = cut(store, drop, n, self.user)
        names, sent = tuple(merged.names[drop:]), tuple(merged.sent[drop:])
        return History(store, merged.time_us[drop:], merged.offset[drop:], sent, names), merged.source[drop:]


def _plain(one: Stored) -> dict[str, Any]:
    return {**one.record.payload, "timestamp": one.record.time_us}


def _order(record: Record) -> tuple[int, int, int, int]:
    """The order of the day files: time, the source's own order (none first), key."""
    sequence = record.payload.get("source_seq")
    return record.time_us, int(sequence is not None), int(sequence or 0), tie_key(record)


@dataclass(frozen=True)
class _Merged:
    """Columns of a history with new events: row of each in the old one (-1 = it is new), and those of `History`."""

    source: NDArray[np.int64]
    time_us: NDArray[np.int64]
    offset: NDArray[np.int64]
    sent: list[bytes]
    names: list[str | None]


def _merged(history: History, new: Sequence[Stored]) -> _Merged:
    """A history with new events, which are in order; a name is that of any item until it is known whether it is new."""
    n, time_us = len(history), history.time_us
    sent, names = list(history.sent), list(history.names)
    before = np.empty(len(new), np.int64)  # rows of the old history that stand before each new one
    for k, one in enumerate(new):
        moment = one.record.time_us
        at = int(np.searchsorted(time_us, moment, side="right")) if n and time_us[-1] >= moment else n
        while at and time_us[at - 1] == moment and _after(history, at - 1, one):
            at -= 1
        before[k] = at
        sent.insert(at + k, sent_as(one.record))
        names.insert(at + k, one.record.payload.get("item_id"))
    return _Merged(
        source=_put(np.arange(n), before, [-1] * len(new)),
        time_us=_put(time_us, before, [one.record.time_us for one in new]),
        offset=_put(history.offset, before, [one.offset for one in new]),
        sent=sent,
        names=names,
    )


def _put(column: NDArray[np.int64], before: NDArray[np.int64], values: list[int]) -> NDArray[np.int64]:
    if before[0] == len(column):  # behind all of it, as most are
        return np.concatenate([column, np.array(values, np.int64)])
    return np.insert(column, before, values)


def _after(history: History, row: int, one: Stored) -> bool:
    held = history.record(row)
    return held is not None and _order(held) > _order(one.record)


def _context(history: History, first: int, time_us: int) -> int:
    """The row from which on events must be seen to measure that at `first`: its day's, and the last known of each."""
    store = history.store
    day_s = time_us // _S // DAY_S * DAY_S
    needed = [max(first - 1, 0), int(np.searchsorted(store["time_s"][:first], day_s))]
    located = ~np.isnan(np.asarray(store["latitude"][:first], np.float64))
    for f, scale in enumerate(store.encoding.scales.values()):
        if scale.params.fill.rule == "interpolate":
            needed.append(_last(~(np.asarray(store.missing[:first]) >> np.uint16(f) & np.uint16(1)).astype(bool)))
    return min(*needed, _last(located), first)


def _last(mask: NDArray[np.bool_]) -> int:
    """Place of the last true one; all places where there is none, which needs no row."""
    found = np.flatnonzero(mask)
    return int(found[-1]) if len(found) else len(mask)


def _spliced(old: Store, packed: Store, source: NDArray[np.int64], first: int, lead: int) -> Store:
    """Rows 0:first of the old store, then those of the packed one behind its `lead` rows of context."""
    tail = source[first:]
    held = np.flatnonzero(tail >= 0)  # old events after the first new one: they keep what is their own
    rows = tail[held]
    columns: dict[str, NDArray] = {}
    for name, column in old.columns.items():
        fresh = np.array(packed[name][lead:])
        if name == "flags":
            mine = np.asarray(column)[rows] & OUTLIER
            fresh[held] = (fresh[held] & ~np.int8(OUTLIER)) | mine
        elif name not in {"gap_s", "distance_km", "session"}:
            fresh[held] = np.asarray(column)[rows]
        columns[name] = np.concatenate([column[:first], fresh])
    numbers, missing = np.array(packed.numbers[lead:]), np.array(packed.missing[lead:])
    _keep_own(old, rows, held, numbers)
    columns["session"] = _sessions(old, packed, source, first, lead)
    return Store(
        users=old.users,
        offsets=np.array([0, len(source)], np.int64),
        columns=columns,
        numbers=np.concatenate([old.numbers[:first], numbers]),
        missing=np.concatenate([old.missing[:first], missing]),
        encoding=old.encoding,
    )


def _keep_own(old: Store, rows: NDArray[np.int64], held: NDArray[np.int64], numbers: NDArray[np.float32]) -> None:
    """Numbers that an old event brought itself stay as they were packed."""
    if not len(held):
        return
    for f, name in enumerate(old.encoding.scales):
        known = ~(np.asarray(old.missing)[rows] >> np.uint16(f) & np.uint16(1)).astype(bool)
        if name not in _MEASURED:
            numbers[held[known], f] = np.asarray(old.numbers)[rows[known], f]


def _sessions(old: Store, packed: Store, source: NDArray[np.int64], first: int, lead: int) -> NDArray[np.int32]:
    """(n,) numbers of sessions: where two old events are still neighbours, they part only where they did."""
    was, now = np.asarray(old["session"], np.int64), np.asarray(packed["session"], np.int64)[lead:]
    begin = int(was[0]) if len(was) else 0
    steps = np.diff(now, prepend=now[:1])
    if first:
        steps[0] = now[0] - int(packed["session"][lead - 1]) if lead else 1
    tail, before = source[first:], np.concatenate([[-2], source[first:-1]])
    still = (tail >= 1) & (tail == before + 1)
    steps[still] = was[tail[still]] - was[tail[still] - 1]
    level = int(was[first - 1]) if first else begin
    return np.concatenate([was[:first], level + np.cumsum(steps)]).astype(np.int32)


def touched(source: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What counts must change when events are put into a history.

    A count of an event looks at the event, the one before it, and the pause before that one: so besides the new events
    those up to two places behind each are counted otherwise than before.

    Parameters
    ----------
    source : (n,) of `with_events`

    Returns
    -------
    (f,) rows of the history before, to be forgotten; (u,) rows of the history after, to be counted
    """
    new = source < 0
    near = new.copy()
    near[1:] |= new[:-1]
    near[2:] |= new[:-2]
    rows = np.flatnonzero(near)
    return source[rows[~new[rows]]], rows

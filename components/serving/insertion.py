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
from components.features.pack import pack_histories
from components.features.store import Store
from components.features.time import DAY_S
from components.serving.histories import History, cut
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
    source, live, time_us : of `_merged`
    first : the first new row; before it rows and sources are the same, from there on every event is measured anew
    events : rows that are packed, plain, from a context before `first`
    lead : how many of them are that context
    """

    history: History
    source: NDArray[np.int64]
    live: list[Stored | None]
    time_us: NDArray[np.int64]
    first: int
    events: list[dict[str, Any]]
    lead: int

    @property
    def user(self) -> str:
        return str(self.history.store.users[0])

    @classmethod
    def of(cls, history: History, new: Sequence[Stored]) -> _Plan:
        source, live, time_us = _merged(history, sorted(new, key=lambda one: _order(one.record)))
        first = int(np.flatnonzero(source < 0)[0])
        start = _context(history, first, int(time_us[first])) if first else 0
        events = [
            history.plain(int(at)) if at >= 0 else {**one.record.payload, "timestamp": one.record.time_us}  # type: ignore[union-attr]
            for at, one in zip(source[start:].tolist(), live[start:], strict=True)
        ]
        return cls(history, source, live, time_us, first, events, first - start)

    def done(self, packed: Store, keep: int) -> tuple[History, NDArray[np.int64]]:
        """The newest `keep` events, and the row of each in the history before."""
        # Spliced also where there was nothing: rows of their own, for a view would hold all that was packed beside it.
        store = _spliced(self.history.store, packed, self.source, self.first, self.lead)
        drop = max(len(self.live) - keep, 0)
        if drop:
            store = cut(store, drop, len(self.live), self.user)
        return History(store, self.time_us[drop:], tuple(self.live[drop:])), self.source[drop:]


def _order(record: Record) -> tuple[int, int, int, int]:
    """The order of the day files: time, the source's own order (none first), key."""
    sequence = record.payload.get("source_seq")
    return record.time_us, int(sequence is not None), int(sequence or 0), tie_key(record)


def _merged(
    history: History, new: Sequence[Stored]
) -> tuple[NDArray[np.int64], list[Stored | None], NDArray[np.int64]]:
    """Row of each event of the merged history in the old one, its live record, its time; `new` is in order."""
    source, live, time_us = list(range(len(history))), list(history.live), history.time_us.tolist()
    for one in new:
        moment = one.record.time_us
        at = int(np.searchsorted(time_us, moment, side="right")) if time_us and time_us[-1] >= moment else len(time_us)
        while at and time_us[at - 1] == moment and _after(live[at - 1], one):
            at -= 1
        source.insert(at, -1)
        live.insert(at, one)
        time_us.insert(at, moment)
    return np.array(source, np.int64), live, np.array(time_us, np.int64)


def _after(held: Stored | None, one: Stored) -> bool:
    return held is not None and _order(held.record) > _order(one.record)


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

"""A user's packed history as it stands now: what the artifact holds of them, with live events among it or not.

What the artifact holds stays as it was packed; columns are views of it. Never here: how live events are put into a
history (`serving.insertion`), where they are kept, or what counts make of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN, Encoding, Scale
from components.features.pack import pack_history
from components.features.store import Store
from components.serving.state.record import Record, dumped

_S = 1_000_000
#: Bytes of a history beside its rows, and of a row beside its columns and what it was sent as: what Python and numpy
#: hold of so many small arrays and strings; and of a row whose columns the artifact holds: time, offset, two pointers.
_BASE, _ROW, _VIEWED = 5_000, 64, 32


@dataclass(frozen=True)
class History:
    """The newest n events of one user.

    Attributes
    ----------
    store : one user
    time_us : (n,) int64 UTC microseconds since 1970; whole seconds where the artifact holds the event
    offset : (n,) int64 place of each in the live log, 0 where the artifact holds it
    sent : (n,) each as `sent_as` gives it, empty where the artifact holds it
    names : (n,) id of the item where the model does not know it and the log has its name, else None
    """

    store: Store
    time_us: NDArray[np.int64]
    offset: NDArray[np.int64]
    sent: tuple[bytes, ...]
    names: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.sent)

    def has(self, offset: int) -> bool:
        """Whether an event of the log is among its own."""
        return bool((self.offset == offset).any())

    @property
    def size(self) -> int:
        """Bytes that it takes, about; what it views of the artifact takes none."""
        if not self.offset.any():
            return _BASE + len(self) * _VIEWED
        width = self.store.numbers.itemsize * self.store.numbers.shape[1] + self.store.missing.itemsize
        width += sum(column.itemsize for column in self.store.columns.values())
        return _BASE + len(self) * (width + _ROW) + sum(map(len, self.sent))

    def of(self, user_id: str) -> History:
        """The same events of another user."""
        return replace(self, store=cut(self.store, 0, len(self), user_id))

    def until(self, stop: int) -> History:
        """Its oldest `stop` events."""
        one = cut(self.store, 0, stop, str(self.store.users[0]))
        return History(one, self.time_us[:stop], self.offset[:stop], self.sent[:stop], self.names[:stop])

    def item_id(self, row: int) -> str | None:
        """Id of an event's item, also where the model does not know it; None where that is lost or there is none."""
        code = int(self.store["item"][row])
        return str(self.store.encoding.vocabularies["item"].ids[code]) if code > UNKNOWN else self.names[row]

    def payload(self, row: int) -> dict[str, Any] | None:
        """What was sent of a live event; None where the artifact holds it."""
        return orjson.loads(self.sent[row])[1] if self.sent[row] else None

    def record(self, row: int) -> Record | None:
        """A live event as a record, but for when it was received; None where the artifact holds it."""
        if not self.sent[row]:
            return None
        name, payload = orjson.loads(self.sent[row])
        return Record("event", name, str(self.store.users[0]), int(self.time_us[row]), 0, payload)

    def plain(self, row: int) -> dict[str, Any]:
        """An event under the contract's names."""
        event = self.payload(row)
        if event is None:
            return turned_back(self.store, row)
        event["timestamp"] = int(self.time_us[row])
        return event


def sent_as(record: Record) -> bytes:
    """What a history keeps of a live event beside its row: what it was sent as; user and time stand elsewhere."""
    return dumped([record.id, record.payload])


def turned_back(store: Store, row: int) -> dict[str, Any]:
    """A packed event under the contract's names, as far as the store tells."""
    words = store.encoding.vocabularies

    def name(kind: str) -> str | None:
        code = int(store[kind][row])
        return str(words[kind].ids[code]) if code else None

    event: dict[str, Any] = {
        "timestamp": int(store["time_s"][row]) * _S,
        "item_id": name("item"),
        "action": name("action"),
        "device": name("device"),
        "utc_offset_min": int(store["utc_offset_min"][row]),
    }
    if not np.isnan(store["latitude"][row]):
        event |= {place: float(store[place][row]) for place in ("latitude", "longitude")}
    for f, (kind, scale) in enumerate(store.encoding.scales.items()):
        if kind in {"value", "duration_s"} and not store.missing[row] >> f & 1:
            event[kind] = _unscaled(float(store.numbers[row, f]), scale)
    return event


def _unscaled(number: float, scale: Scale) -> float:
    value = number * scale.spread + scale.centre
    return float(np.copysign(np.expm1(abs(value)), value)) if scale.params.scale == "log" else value


def of_store(store: Store, row: int, keep: int) -> History:
    """The newest `keep` events of a user of a packed store."""
    stop = int(store.offsets[row + 1])
    one = cut(store, max(int(store.offsets[row]), stop - keep), stop, str(store.users[row]))
    n = one.n_events
    return History(one, np.asarray(one["time_s"], np.int64) * _S, np.zeros(n, np.int64), (b"",) * n, (None,) * n)


def nothing(encoding: Encoding, user_id: str) -> History:
    """Of a user of whom nothing is known."""
    none = np.zeros(0, np.int64)
    return History(pack_history([], encoding, user_id=user_id), none, none, (), ())


def cut(store: Store, start: int, stop: int, user_id: str) -> Store:
    """The rows start:stop of one user as a store of their own; columns are views."""
    users = np.empty(1, dtype=object)
    users[0] = user_id
    return Store(
        users=users,
        offsets=np.array([0, stop - start], np.int64),
        columns={name: column[start:stop] for name, column in store.columns.items()},
        numbers=store.numbers[start:stop],
        missing=store.missing[start:stop],
        encoding=store.encoding,
    )

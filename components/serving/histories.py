"""A user's packed history as it stands now: what the artifact holds of them, with live events among it or not.

What the artifact holds stays as it was packed; columns are views of it. Never here: how live events are put into a
history (`serving.insertion`), where they are kept, or what counts make of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN, Encoding, Scale
from components.features.pack import pack_history
from components.features.store import Store
from components.serving.state.protocol import Stored

_S = 1_000_000


@dataclass(frozen=True)
class History:
    """The newest n events of one user.

    Attributes
    ----------
    store : one user
    time_us : (n,) int64 UTC microseconds since 1970; whole seconds where the artifact holds the event
    live : (n,) the live record of each, None where the artifact holds it
    """

    store: Store
    time_us: NDArray[np.int64]
    live: tuple[Stored | None, ...]

    def __len__(self) -> int:
        return len(self.live)

    @property
    def offsets(self) -> set[int]:
        """Places of its live events in the log."""
        return {one.offset for one in self.live if one is not None}

    def of(self, user_id: str) -> History:
        """The same events of another user."""
        return History(cut(self.store, 0, len(self), user_id), self.time_us, self.live)

    def until(self, stop: int) -> History:
        """Its oldest `stop` events."""
        one = cut(self.store, 0, stop, str(self.store.users[0]))
        return History(one, self.time_us[:stop], self.live[:stop])

    def item_id(self, row: int) -> str | None:
        """Id of an event's item, also where the model does not know it; None where that is lost or there is none."""
        one = self.live[row]
        if one is not None:
            return one.record.payload.get("item_id")
        code = int(self.store["item"][row])
        return str(self.store.encoding.vocabularies["item"].ids[code]) if code > UNKNOWN else None

    def plain(self, row: int) -> dict[str, Any]:
        """An event under the contract's names."""
        one = self.live[row]
        if one is not None:
            return {**one.record.payload, "timestamp": one.record.time_us}
        return turned_back(self.store, row)


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
    return History(one, np.asarray(one["time_s"], np.int64) * _S, (None,) * one.n_events)


def nothing(encoding: Encoding, user_id: str) -> History:
    """Of a user of whom nothing is known."""
    return History(pack_history([], encoding, user_id=user_id), np.zeros(0, np.int64), ())


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

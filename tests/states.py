"""A State that lives in memory: what the tests of everything above it stand on."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from components.serving.state.protocol import Receipt, Sizes, Stored
from components.serving.state.record import Record


class MemoryState:
    """Keeps the promises of `components.serving.state.protocol.State`, but for those about surviving."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._log: dict[int, Record] = {}
        self._ids: dict[tuple[str, str, str], int] = {}
        self._tombs: dict[str, int] = {}
        self._head = 0

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        with self._lock:
            return [self._one(record) for record in records]

    def _one(self, record: Record) -> Receipt:
        key = (record.user_id, record.kind, record.id)
        if key in self._ids:
            return Receipt(self._ids[key], True)
        self._head += 1
        self._log[self._head] = record
        self._ids[key] = self._head
        return Receipt(self._head, False)

    def last(self, user_id: str, n: int) -> list[Stored]:
        with self._lock:
            found = [
                Stored(offset, one)
                for offset, one in self._log.items()
                if one.user_id == user_id and one.kind == "event"
            ]
        return sorted(found, key=lambda one: (one.record.time_us, one.offset))[-n:]

    def after(self, offset: int, limit: int) -> list[Stored]:
        with self._lock:
            found = [Stored(at, self._log[at]) for at in sorted(self._log) if at > offset]
        return found[:limit]

    def head(self) -> int:
        return self._head

    def forget(self, user_id: str) -> Stored:
        with self._lock:
            self._log = {at: one for at, one in self._log.items() if one.user_id != user_id}
            self._ids = {key: at for key, at in self._ids.items() if key[0] != user_id}
            self._head += 1
            tomb = Record("tombstone", str(self._head), user_id, 0, 0, {})
            self._log[self._head] = tomb
            self._tombs[user_id] = self._head
            return Stored(self._head, tomb)

    def forgotten(self, user_id: str) -> int:
        return self._tombs.get(user_id, 0)

    def expire(self, before_us: int) -> int:
        with self._lock:
            gone = [at for at, one in self._log.items() if one.kind != "tombstone" and one.time_us < before_us]
            for at in gone:
                record = self._log.pop(at)
                del self._ids[record.user_id, record.kind, record.id]
            return len(gone)

    def sizes(self) -> Sizes:
        return Sizes(len({one.user_id for one in self._log.values() if one.kind == "event"}), len(self._log), 0)

    def close(self) -> None:
        return

"""A state that lives as long as its process, for replays and tests: it survives nothing, and no other sees it."""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Sequence

from components.serving.state.newest import Newest
from components.serving.state.protocol import EVERYTHING, Receipt, Sizes, Stored
from components.serving.state.record import Record


class MemoryState:
    """`State` in dicts and lists; all else is as `components.serving.state.protocol` says."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._log: dict[int, Record] = {}
        self._offsets: list[int] = []
        self._users: dict[str, list[tuple[int, int]]] = {}  # (time_us, offset) of a user's events, in order
        self._ids: dict[tuple[str, str, str], int] = {}
        self._tombs: dict[str, int] = {}
        self._head = 0

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        """Take records; one receipt each."""
        with self._lock:
            return [self._one(record) for record in records]

    def _one(self, record: Record) -> Receipt:
        key = (record.user_id, record.kind, record.id)
        if key in self._ids:
            return Receipt(self._ids[key], True)
        offset = self._put(record)
        self._ids[key] = offset
        if record.kind == "event":
            insort(self._users.setdefault(record.user_id, []), (record.time_us, offset))
        return Receipt(offset, False)

    def _put(self, record: Record) -> int:
        self._head += 1
        self._log[self._head] = record
        self._offsets.append(self._head)
        return self._head

    def last(self, user_id: str, n: int) -> Newest:
        """A user's newest `n` events, oldest first."""
        with self._lock:
            newest = self._users.get(user_id, [])[-n:] if n > 0 else []
            return Newest.of(Stored(offset, self._log[offset]) for _, offset in newest)

    def after(self, offset: int, limit: int) -> list[Stored]:
        """At most `limit` records with a greater offset, in order."""
        with self._lock:
            at = bisect_right(self._offsets, offset)
            return [Stored(one, self._log[one]) for one in self._offsets[at : at + limit]]

    def head(self) -> int:
        """The greatest offset that was given."""
        return self._head

    def forget(self, user_id: str) -> Stored:
        """Erase a user and leave a tombstone."""
        with self._lock:
            self._drop([offset for offset, one in self._log.items() if one.user_id == user_id])
            tomb = Record("tombstone", f"tombstone-{self._head + 1}", user_id, 0, 0, {})
            self._tombs[user_id] = self._put(tomb)
            return Stored(self._head, tomb)

    def _drop(self, offsets: Sequence[int]) -> None:
        for offset in offsets:
            record = self._log.pop(offset)
            self._ids.pop((record.user_id, record.kind, record.id), None)
            if record.kind == "event":
                self._users[record.user_id].remove((record.time_us, offset))
        gone = set(offsets)
        self._offsets = [offset for offset in self._offsets if offset not in gone]

    def forgotten(self, user_id: str) -> int:
        """Offset of the user's newest tombstone; 0 = none."""
        return self._tombs.get(user_id, 0)

    def expire(self, before_us: int, until_offset: int = EVERYTHING) -> int:
        """Drop what happened before a time, up to an offset; tombstones stay."""
        with self._lock:
            old = [
                at
                for at, one in self._log.items()
                if one.kind != "tombstone" and one.time_us < before_us and at <= until_offset
            ]
            self._drop(old)
            return len(old)

    def sizes(self) -> Sizes:
        """How much there is; bytes are not counted."""
        with self._lock:
            return Sizes(sum(map(bool, self._users.values())), len(self._log), 0)

    def close(self) -> None:
        """Nothing is held."""

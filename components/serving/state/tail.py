"""What the log has gained since the index was last written, and the histories in use: the memory of one process.

A record is acknowledged once it is in the log; the index that finds it again is written for many records together
(`folder.py`), since scattered pages are what an append costs. Until then the record is found here. A process reads the
log up to its head before each answer, so what is here is what is there. Nothing here reads or writes a store.
"""

from __future__ import annotations

from bisect import insort
from collections import deque

from components.serving.state.protocol import Stored
from components.serving.state.recent import Recent, by_time


class Tail:
    """Records in `(folded, seen]` of the log, by what they are asked for. Not safe for threads by itself.

    Attributes
    ----------
    seen : offset up to which the log was read
    folded : offset up to which the index holds everything
    epoch : how often the log has lost records (by age) when it was read
    recent : histories in use, kept up to `seen`
    """

    def __init__(self, most_bytes: int) -> None:
        self.recent = Recent(most_bytes)
        self.epoch = 0
        self.restart(0, 0)

    def restart(self, folded: int, epoch: int) -> None:
        """Know nothing but what the index holds up to `folded`."""
        self.seen = self.folded = folded
        self.epoch = epoch
        self.recent.clear()
        self._waiting: deque[Stored] = deque()
        self._ids: dict[tuple[str, str, str], int] = {}
        self._events: dict[str, list[Stored]] = {}

    def take(self, stored: Stored, data: bytes | None = None) -> None:
        """The next record of the log, and its bytes where they are at hand; what was taken already is passed over."""
        if stored.offset <= self.seen:
            return
        self.seen = stored.offset
        record = stored.record
        if record.kind == "tombstone":
            self._forget(record.user_id)
            return
        self._waiting.append(stored)
        self._ids[record.user_id, record.kind, record.id] = stored.offset
        if record.kind == "event":
            insort(self._events.setdefault(record.user_id, []), stored, key=by_time)
            self.recent.add(stored, data)

    def trim(self, folded: int) -> None:
        """The index now holds everything up to `folded`."""
        while self._waiting and self._waiting[0].offset <= folded:
            stored = self._waiting.popleft()
            record = stored.record
            self._ids.pop((record.user_id, record.kind, record.id), None)
            if record.kind == "event":
                events = self._events[record.user_id]
                events.remove(stored)
                if not events:
                    del self._events[record.user_id]
        self.folded = max(self.folded, folded)

    def waiting(self) -> list[Stored]:
        """What the index does not hold, in the order of the log."""
        return list(self._waiting)

    def offset_of(self, user_id: str, kind: str, id_: str) -> int | None:
        """Where a record of this id stands, if the index does not hold it yet."""
        return self._ids.get((user_id, kind, id_))

    def events(self, user_id: str) -> list[Stored]:
        """A user's events that the index does not hold, by time, then by offset."""
        return self._events.get(user_id, [])

    def users(self) -> list[str]:
        """Users with such events."""
        return list(self._events)

    def _forget(self, user_id: str) -> None:
        self.recent.drop(user_id)
        if gone := [one for one in self._waiting if one.record.user_id == user_id]:
            self._waiting = deque(one for one in self._waiting if one.record.user_id != user_id)
            for one in gone:
                self._ids.pop((user_id, one.record.kind, one.record.id), None)
        self._events.pop(user_id, None)

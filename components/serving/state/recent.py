"""The newest events of users who were asked about, as bytes. Forgets the least recently asked; touches no store."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

from components.serving.state.newest import Newest
from components.serving.state.protocol import Stored

MOST_BYTES = 16 << 20  # of all users together, where nothing else is said
MOST_OF_A_USER = 2_048
#: Bytes beside those of the records: of each (object, columns, growth), of a user (name, columns, place).
_ROW, _USER = 64, 700


def by_time(stored: Stored) -> tuple[int, int]:
    """What histories are ordered by: time, then offset."""
    return stored.record.time_us, stored.offset


class History:
    """A user's newest events.

    Parameters
    ----------
    events : oldest first; exactly the newest `len(events)` of the user; taken over, not copied
    whole : whether the user has no others
    version : what the store said of the user's events when these were read

    Attributes
    ----------
    top : greatest offset among the events; 0 = no events
    size : bytes that it takes, about
    """

    __slots__ = ("events", "size", "top", "version", "whole")

    def __init__(self, events: Newest, whole: bool, version: str = "") -> None:
        self.events, self.whole, self.version = events, whole, version
        self.top = max(events.offsets, default=0)
        self.size = _USER + _ROW * len(events) + sum(map(len, events.data))

    def put(self, stored: Stored, data: bytes | None = None) -> None:
        """An event, to its place in time; `data` are its bytes, where they are at hand."""
        events, time_us, offset = self.events, stored.record.time_us, stored.offset
        data = stored.record.encode() if data is None else data
        if not events.times or events.times[-1] < time_us:  # as most are
            events.offsets.append(offset)
            events.times.append(time_us)
            events.data.append(data)
        else:
            at = bisect_right(events.times, time_us)
            while at and events.times[at - 1] == time_us and events.offsets[at - 1] > offset:
                at -= 1
            events.offsets.insert(at, offset)
            events.times.insert(at, time_us)
            events.data.insert(at, data)
        self.top = max(self.top, offset)
        self.size += _ROW + len(data)

    def cut(self, keep: int) -> None:
        """Hold no more than the newest `keep`."""
        gone = len(self.events) - keep
        if gone > 0:
            self.size -= _ROW * gone + sum(map(len, self.events.data[:gone]))
            self.events, self.whole = self.events[gone:], False


class Recent:
    """Histories by user. Not safe for threads by itself.

    Parameters
    ----------
    most_bytes : of all that is held
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._by_user: OrderedDict[str, History] = OrderedDict()
        self.size = 0

    def get(self, user_id: str) -> History | None:
        """What is known of a user."""
        found = self._by_user.get(user_id)
        if found is not None:
            self._by_user.move_to_end(user_id)
        return found

    def newest(self, user_id: str, n: int) -> Newest | None:
        """The newest `n` events, oldest first; None where that many are not known."""
        found = self.get(user_id)
        if found is None:
            return None
        held = found.events
        if len(held.data) < n and not found.whole:
            return None
        return Newest(held.offsets[-n:], held.times[-n:], held.data[-n:])

    def put(self, user_id: str, history: History) -> None:
        """Keep what was read of a user, instead of what was known."""
        self.drop(user_id)
        if len(history.events) > MOST_OF_A_USER:
            return
        self._by_user[user_id] = history
        self.size += history.size
        self._trim()

    def add(self, stored: Stored, data: bytes | None = None) -> None:
        """A new event of a user, with its bytes or not: to its place in time, if the user is known."""
        history = self._by_user.get(stored.record.user_id)
        if history is None:
            return
        events, before = history.events, history.size
        if not history.whole and events.data and by_time(stored) < (events.times[0], events.offsets[0]):
            return  # older than all that is known: the others are still the newest
        history.put(stored, data)
        if len(events.data) > MOST_OF_A_USER:
            history.cut(MOST_OF_A_USER // 2)
        self.size += history.size - before
        if self.size > self._most:
            self._trim()

    def _trim(self) -> None:
        while self.size > self._most:
            _, least = self._by_user.popitem(last=False)
            self.size -= least.size

    def drop(self, user_id: str) -> None:
        """Know nothing of a user."""
        history = self._by_user.pop(user_id, None)
        if history is not None:
            self.size -= history.size

    def clear(self) -> None:
        """Know nothing."""
        self._by_user.clear()
        self.size = 0

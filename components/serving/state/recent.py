"""The newest events of users who were asked about, decoded once. Forgets the least recently asked; touches no store."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from dataclasses import dataclass, field

from components.serving.state.protocol import Stored

MOST_RECORDS = 65_536  # of all users together: some 70 MB
MOST_OF_A_USER = 2_048


def by_time(stored: Stored) -> tuple[int, int]:
    """What histories are ordered by: time, then offset."""
    return stored.record.time_us, stored.offset


@dataclass
class History:
    """A user's newest events.

    Attributes
    ----------
    events : oldest first; exactly the newest `len(events)` of the user
    whole : whether the user has no others
    version : what the store said of the user's events when these were read
    top : greatest offset among the events; 0 = no events
    """

    events: list[Stored]
    whole: bool
    version: str = ""
    top: int = field(init=False)

    def __post_init__(self) -> None:
        self.top = max((one.offset for one in self.events), default=0)


class Recent:
    """Histories by user. Not safe for threads by itself."""

    def __init__(self, most_records: int = MOST_RECORDS) -> None:
        self._most = most_records
        self._held = 0
        self._by_user: OrderedDict[str, History] = OrderedDict()

    def get(self, user_id: str) -> History | None:
        """What is known of a user."""
        found = self._by_user.get(user_id)
        if found is not None:
            self._by_user.move_to_end(user_id)
        return found

    def newest(self, user_id: str, n: int) -> list[Stored] | None:
        """The newest `n` events, oldest first; None where that many are not known."""
        found = self.get(user_id)
        if found is None or (len(found.events) < n and not found.whole):
            return None
        return found.events[-n:]

    def put(self, user_id: str, history: History) -> None:
        """Keep what was read of a user, instead of what was known."""
        self.drop(user_id)
        if len(history.events) > MOST_OF_A_USER:
            return
        self._by_user[user_id] = history
        self._held += _cost(history)
        while self._held > self._most:
            _, least = self._by_user.popitem(last=False)
            self._held -= _cost(least)

    def add(self, stored: Stored) -> None:
        """A new event of a user: to its place in time, if the user is known."""
        history = self._by_user.get(stored.record.user_id)
        if history is None:
            return
        events = history.events
        if events and by_time(stored) < by_time(events[0]) and not history.whole:
            return  # older than all that is known: the others are still the newest
        if not events or by_time(events[-1]) < by_time(stored):
            events.append(stored)
        else:
            insort(events, stored, key=by_time)
        history.top = max(history.top, stored.offset)
        self._held += 1
        if len(events) > MOST_OF_A_USER:
            gone = len(events) - MOST_OF_A_USER // 2
            del events[:gone]
            history.whole = False
            self._held -= gone

    def drop(self, user_id: str) -> None:
        """Know nothing of a user."""
        history = self._by_user.pop(user_id, None)
        if history is not None:
            self._held -= _cost(history)

    def clear(self) -> None:
        """Know nothing."""
        self._by_user.clear()
        self._held = 0


def _cost(history: History) -> int:
    return len(history.events) + 1  # users without events take room, too

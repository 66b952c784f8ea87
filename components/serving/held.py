"""Histories that a model keeps packed, of the users who came last: as many as have room in so many bytes.

Who has none any more is read again from the store when they come. Safe for one writer and any readers. Never here: how
a history is made.
"""

from __future__ import annotations

from collections import OrderedDict

from components.serving.histories import History


class Held:
    """Histories by user.

    Parameters
    ----------
    most_bytes : of all of them together; the one that came last is kept in any case

    Attributes
    ----------
    size : bytes that they take, about
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._by_user: OrderedDict[str, tuple[History, int]] = OrderedDict()
        self.size = 0

    def get(self, user_id: str) -> History | None:
        """What is kept of a user."""
        found = self._by_user.get(user_id)
        return None if found is None else found[0]

    def put(self, user_id: str, history: History) -> None:
        """Keep a user's history instead of what was kept; users who came long ago leave."""
        before, size = self._by_user.get(user_id), history.size
        self.size += size - (0 if before is None else before[1])
        self._by_user[user_id] = history, size
        self._by_user.move_to_end(user_id)
        while self.size > self._most and len(self._by_user) > 1:
            _, (_, left) = self._by_user.popitem(last=False)
            self.size -= left

    def clear(self) -> None:
        """Keep nothing."""
        self._by_user.clear()
        self.size = 0

    def __len__(self) -> int:
        return len(self._by_user)

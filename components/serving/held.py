"""Histories that a model keeps packed, of the users who came last: as many as have room in so many bytes.

Who has none any more is read again from the store when they come; who is pinned stays. Safe for one writer and any
readers. Never here: how a history is made.
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
        self._pinned: set[str] = set()
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
        stay = self._pinned | {user_id}
        for user in stay:
            self._by_user.move_to_end(user)
        while self.size > self._most and len(self._by_user) > len(stay):
            _, (_, left) = self._by_user.popitem(last=False)
            self.size -= left

    def pin(self, user_id: str) -> None:
        """Keep the history of a user, who has one, whoever comes."""
        self._pinned.add(user_id)

    def unpin(self, user_id: str) -> None:
        """Let a user leave as all others do."""
        self._pinned.discard(user_id)

    def clear(self) -> None:
        """Keep nothing."""
        self._pinned.clear()
        self._by_user.clear()
        self.size = 0

    def __len__(self) -> int:
        return len(self._by_user)

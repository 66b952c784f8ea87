"""How often a user's next event was in the last list that was made for them, for each arm.

A list counts once: the next event with an item uses it up. The newest `MOST_LISTS` lists of an arm are kept, the first
`LONGEST` items of each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from components.serving.pulse.rolling import Windows

MOST_LISTS = 20_000
MOST_ARMS = 6
LONGEST = 10


class Hits:
    """The lists that wait for what their users do, and what became of those before."""

    def __init__(self) -> None:
        self._lists: dict[str, OrderedDict[str, tuple[str, ...]]] = {}
        self._asked: Windows[str] = Windows()
        self._found: Windows[str] = Windows()

    def shown(self, arm: str, user_id: str, item_ids: Sequence[str]) -> None:
        """Remember a list; one that waited for the same user is replaced. Arms beyond `MOST_ARMS` are not followed."""
        if arm not in self._lists and len(self._lists) >= MOST_ARMS:
            return
        lists = self._lists.setdefault(arm, OrderedDict())
        lists.pop(user_id, None)
        lists[user_id] = tuple(item_ids[:LONGEST])
        if len(lists) > MOST_LISTS:
            lists.popitem(last=False)

    def beside(self, other: str, arm: str, user_id: str, item_ids: Sequence[str]) -> None:
        """Remember a list beside the one of another arm; where that waits no more, the event came first."""
        if user_id in self._lists.get(other, ()):
            self.shown(arm, user_id, item_ids)

    def happened(self, user_id: str, item_id: str, time_s: float) -> dict[str, int]:
        """Arm → rank (from 1) that its list gave the item, 0 = none, for the arms that had a list for this user."""
        ranks = {}
        for arm, lists in self._lists.items():
            items = lists.pop(user_id, None)
            if items is None:
                continue
            self._asked.add(arm, time_s)
            ranks[arm] = items.index(item_id) + 1 if item_id in items else 0
            if ranks[arm]:
                self._found.add(arm, time_s)
        return ranks

    def forget(self, user_id: str) -> None:
        """Drop the lists of a user."""
        for lists in self._lists.values():
            lists.pop(user_id, None)

    def told(self, now_s: float) -> list[dict[str, object]]:
        """For each arm how many events had a list before them, and how many of them were in it, per window."""
        self._asked.move(now_s)
        self._found.move(now_s)
        return [{"arm": arm, "asked": self._asked.of(arm), "hits": self._found.of(arm)} for arm in self._lists]
